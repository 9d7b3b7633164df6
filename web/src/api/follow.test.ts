import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Broadcast } from "./client";
import { polling } from "./follow";
import { Problem } from "./problem";

/** Follow through `looks`, one every two seconds, for five; a problem among them is thrown. */
async function follow(looks: (Broadcast["state"] | Problem)[]) {
  const following = new AbortController();
  const seen: string[] = [];
  const look = async () => {
    const next = looks.shift() ?? "live";
    if (next instanceof Problem) throw next;
    return { state: next } as Broadcast;
  };
  const through = async () => {
    for await (const { state } of polling(look)(following.signal)) seen.push(state);
  };
  const outcome = through().then(
    () => null,
    (error: unknown) => error,
  );
  await vi.advanceTimersByTimeAsync(5_000);
  following.abort();
  return { seen, error: await outcome };
}

describe("polling", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("asks every two seconds until nobody follows any more", async () => {
    expect(await follow(["waiting", "live", "paused"])).toEqual({
      seen: ["waiting", "live", "paused"],
      error: null,
    });
  });

  it("passes over a question that fails on its way", async () => {
    const { seen, error } = await follow(["live", new Problem("network", 0), "paused"]);
    expect([seen, error]).toEqual([["live", "paused"], null]);
  });

  it("throws where there is no such broadcast any more", async () => {
    const gone = new Problem("live.no_such_broadcast", 404);
    expect(await follow(["live", gone])).toEqual({ seen: ["live"], error: gone });
  });
});
