import { describe, expect, it, vi } from "vitest";
import { Problem } from "../api/problem";
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
    backoff.stood(5_000);
    expect(backoff.nextMs()).toBe(500);
  });

  it("goes on growing after a connection that broke at once", () => {
    const backoff = new Backoff(() => 0.5);
    backoff.nextMs();
    backoff.stood(4_000);
    expect(backoff.nextMs()).toBe(1000);
  });

  it("spreads the viewers of one broadcast by a fifth to each side", () => {
    expect(new Backoff(() => 0).nextMs()).toBe(400);
    expect(new Backoff(() => 1).nextMs()).toBe(600);
  });

  it("never comes back before the server asked", () => {
    expect(new Backoff(() => 0).nextMs(7000)).toBe(7000);
  });

  it("tries at once when the network comes back, but never before the server asked", async () => {
    vi.useFakeTimers();
    const { signal } = new AbortController();
    const backoff = new Backoff(() => 0.5);
    for (let tries = 0; tries < 5; tries++) backoff.nextMs(); // the next wait is 15 s
    const done = vi.fn();
    const tell = vi.fn();
    vi.setSystemTime(0);
    void backoff.wait(new Problem("restarting", 503, "", 3), signal, tell).then(done);
    expect(tell).toHaveBeenCalledWith(15_000);
    window.dispatchEvent(new Event("online"));
    await vi.advanceTimersByTimeAsync(3_000);
    expect(done).not.toHaveBeenCalled();
    window.dispatchEvent(new Event("online"));
    await vi.advanceTimersByTimeAsync(0);
    expect(done).toHaveBeenCalledOnce();
    vi.useRealTimers();
  });
});
