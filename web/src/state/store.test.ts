import { describe, expect, it, vi } from "vitest";
import { Store } from "./store";

describe("Store", () => {
  it("tells everybody who listens of another value, and nobody of the same one", () => {
    const store = new Store(1);
    const [first, second] = [vi.fn(), vi.fn()];
    store.subscribe(first);
    const leave = store.subscribe(second);
    store.set(1);
    expect(first).not.toHaveBeenCalled();
    store.set(2);
    leave();
    store.set(3);
    expect(first).toHaveBeenCalledTimes(2);
    expect(second).toHaveBeenCalledOnce();
    expect(store.get()).toBe(3);
  });

  it("keeps the value's identity until it changes, as React asks of a snapshot", () => {
    const store = new Store({ a: 1, b: 2 });
    const before = store.get();
    expect(store.get()).toBe(before);
    store.patch({ a: 3 });
    expect(store.get()).toEqual({ a: 3, b: 2 });
    expect(before).toEqual({ a: 1, b: 2 });
  });

  it("lets a listener leave while it is told", () => {
    const store = new Store(0);
    const later = vi.fn();
    const leave = store.subscribe(() => leave());
    store.subscribe(later);
    store.set(1);
    store.set(2);
    expect(later).toHaveBeenCalledTimes(2);
  });
});
