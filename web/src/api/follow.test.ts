import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Backoff } from "../webrtc/retry";
import type { Broadcast } from "./client";
import { follow } from "./follow";
import { Problem } from "./problem";

const broadcast = (state: Broadcast["state"]) => ({ id: "b", state }) as Broadcast;

/** A socket as far as `follow` knows it, and the server at its other end. */
class Line extends EventTarget {
  closed = false;

  constructor(readonly url: string) {
    super();
  }

  close(): void {
    this.closed = true;
  }

  says(state: Broadcast["state"]): void {
    this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(broadcast(state)) }));
  }

  breaks(code = 1006): void {
    this.dispatchEvent(Object.assign(new Event("close"), { code }));
  }
}

/** Somebody who follows `b`, on a server that answers each question with the next of `looks`. */
function following(...looks: (Broadcast["state"] | Problem)[]) {
  const heard: (Broadcast["state"] | null)[] = [];
  const lines: Line[] = [];
  const leaving = new AbortController();
  let asked = 0;
  const ended = follow("b", {
    api: {
      broadcast: async () => {
        asked += 1;
        const next = looks.shift() ?? "live";
        if (next instanceof Problem) throw next;
        return broadcast(next);
      },
    },
    hear: (news) => heard.push(news?.state ?? null),
    signal: leaving.signal,
    openSocket: (url) => {
      const line = new Line(url);
      lines.push(line);
      return line as unknown as WebSocket;
    },
    backoff: new Backoff(() => 0.5),
  });
  return { heard, lines, leaving, ended, asked: () => asked };
}

describe("follow", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("passes on what the socket says and asks nothing", async () => {
    const { heard, lines, asked } = following();
    expect(new URL(lines[0]?.url ?? "")).toMatchObject({
      protocol: "ws:",
      pathname: "/api/broadcasts/b/events",
    });
    lines[0]?.says("waiting");
    lines[0]?.says("live");
    await vi.advanceTimersByTimeAsync(3_000);
    expect(heard).toEqual(["waiting", "live"]);
    expect(asked()).toBe(0);
  });

  it("ends with the broadcast, whichever way it hears of that", async () => {
    const told = following();
    told.lines[0]?.says("ended");
    const refused = following();
    refused.lines[0]?.breaks(4404);
    const asking = following(new Problem("live.no_such_broadcast", 404));
    asking.lines[0]?.breaks();
    await Promise.all([told.ended, refused.ended, asking.ended]);
    expect([told.heard, refused.heard, asking.heard]).toEqual([[null], [null], [null]]);
    expect([told.lines.length, refused.lines.length, asking.lines.length]).toEqual([1, 1, 1]);
  });

  it("asks every two seconds where there is no socket, and tries it again less and less often", async () => {
    const { heard, lines, asked } = following("waiting", "live", "paused");
    const breaking = setInterval(() => lines.at(-1)?.breaks(), 1);
    await vi.advanceTimersByTimeAsync(31_000);
    clearInterval(breaking);
    expect(heard.slice(0, 3)).toEqual(["waiting", "live", "paused"]);
    expect(lines).toHaveLength(7); // at once, then after 0.5, 1, 2, 4, 8 and 15 s
    expect(asked()).toBeGreaterThan(14);
  });

  it("asks no more once the socket is back", async () => {
    const { heard, lines, asked } = following("live");
    lines[0]?.breaks();
    await vi.advanceTimersByTimeAsync(600);
    lines[1]?.says("paused");
    await vi.advanceTimersByTimeAsync(3_000);
    expect([lines.length, asked()]).toEqual([2, 1]);
    expect(heard).toEqual(["live", "paused"]);
  });

  it("takes a socket that says nothing for lost", async () => {
    const { heard, lines } = following("live");
    await vi.advanceTimersByTimeAsync(4_100);
    expect(lines[0]?.closed).toBe(true);
    expect(heard).toEqual(["live"]);
  });

  it("passes over a question that fails on its way", async () => {
    const { heard, lines } = following(new Problem("network", 0), new Problem("unknown", 404), "paused");
    const breaking = setInterval(() => lines.at(-1)?.breaks(), 1);
    await vi.advanceTimersByTimeAsync(3_000);
    clearInterval(breaking);
    expect(heard).toEqual(["paused"]);
  });

  it("says nothing more and closes its socket once nobody follows any more", async () => {
    const { heard, lines, leaving, ended } = following();
    leaving.abort();
    lines[0]?.says("live");
    await ended;
    expect(lines[0]?.closed).toBe(true);
    expect(heard).toEqual([]);
  });
});
