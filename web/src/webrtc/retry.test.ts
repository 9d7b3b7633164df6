import { describe, expect, it } from "vitest";
import { Backoff } from "./retry";

describe("Backoff", () => {
  it("doubles up to fifteen seconds", () => {
    const backoff = new Backoff(() => 0.5);
    expect(Array.from({ length: 7 }, () => backoff.nextMs())).toEqual([
      500, 1000, 2000, 4000, 8000, 15000, 15000,
    ]);
  });

  it("begins anew after a connection that stood", () => {
    const backoff = new Backoff(() => 0.5);
    backoff.nextMs();
    backoff.nextMs();
    backoff.reset();
    expect(backoff.nextMs()).toBe(500);
  });

  it("spreads the viewers of one broadcast by a fifth to each side", () => {
    expect(new Backoff(() => 0).nextMs()).toBe(400);
    expect(new Backoff(() => 1).nextMs()).toBe(600);
  });

  it("never comes back before the server asked", () => {
    expect(new Backoff(() => 0).nextMs(7000)).toBe(7000);
  });
});
