import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Broadcast } from "../api/client";
import { polling } from "../api/follow";
import { Problem } from "../api/problem";
import { Backoff } from "./retry";
import { Viewer, type ViewerState } from "./viewer";

const broadcast = (state: Broadcast["state"]) => ({ id: "b", state }) as Broadcast;

/** A viewer of a server that answers each WHEP offer with the next of `opens`, and looks with `look`. */
function watching({
  opens = [],
  look = async () => broadcast("live"),
  decodes = () => true,
}: {
  opens?: (Problem | null)[];
  look?: () => Promise<Broadcast>;
  decodes?: () => boolean;
} = {}) {
  let framesDecoded = 0;
  const states: ViewerState[] = [];
  const sessions: { lose: () => void; closed: boolean }[] = [];
  const viewer = new Viewer({
    whepUrl: "/whep/b",
    sound: true,
    follow: polling(look),
    onState: (state) => states.push(state),
    onStream: () => undefined,
    backoff: new Backoff(() => 0.5),
    openSession: (lose) => {
      const session = { lose, closed: false };
      sessions.push(session);
      return {
        stream: {} as MediaStream,
        open: async () => {
          const problem = opens.shift();
          if (problem) throw problem;
        },
        close: async () => {
          session.closed = true;
        },
        stats: async () => {
          framesDecoded += decodes() ? 30 : 0;
          const video = { type: "inbound-rtp", kind: "video", framesDecoded };
          return new Map([["video", video]]) as unknown as RTCStatsReport;
        },
      };
    },
  });
  const kinds = () => states.map(({ kind }) => kind);
  return { viewer, states, kinds, sessions };
}

describe("Viewer", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("connects and says what the picture is", async () => {
    const { viewer, kinds } = watching();
    void viewer.run();
    await vi.advanceTimersByTimeAsync(0);
    expect(kinds()).toEqual(["connecting", "live"]);
  });

  it("tells a slate from a picture", async () => {
    const looks = [broadcast("waiting"), broadcast("live"), broadcast("paused")];
    const { viewer, kinds } = watching({ look: async () => looks.shift() ?? broadcast("paused") });
    void viewer.run();
    await vi.advanceTimersByTimeAsync(4_100);
    expect(kinds()).toEqual(["connecting", "waiting", "live", "paused"]);
  });

  it("comes back after a loss, with a new session, and leaves none open", async () => {
    const { viewer, kinds, sessions } = watching();
    void viewer.run();
    await vi.advanceTimersByTimeAsync(0);
    sessions[0]?.lose();
    await vi.advanceTimersByTimeAsync(600);
    expect(kinds()).toEqual(["connecting", "live", "reconnecting", "reconnecting", "live"]);
    expect(sessions.map(({ closed }) => closed)).toEqual([true, false]);
  });

  it("comes back when packets come but make no picture", async () => {
    let decoding = true;
    const { viewer, states, sessions } = watching({ decodes: () => decoding });
    void viewer.run();
    await vi.advanceTimersByTimeAsync(1_000);
    decoding = false;
    await vi.advanceTimersByTimeAsync(7_000);
    decoding = true;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(sessions).toHaveLength(2);
    expect(states.find(({ kind }) => kind === "reconnecting")).toMatchObject({
      problem: { code: "connection.stalled" },
    });
    expect(states.at(-1)?.kind).toBe("live");
  });

  it("waits longer after each failure and as long as the server asks", async () => {
    const full = new Problem("live.too_many", 503, "", 7);
    const { viewer, states } = watching({
      opens: [new Problem("network", 0), new Problem("network", 0), full],
    });
    vi.setSystemTime(0);
    void viewer.run();
    await vi.advanceTimersByTimeAsync(20_000);
    const waits = states.flatMap((state) =>
      state.kind === "reconnecting" && state.atMs !== null ? [state.atMs] : [],
    );
    expect(waits).toEqual([500, 500 + 1000, 1500 + 7000]);
  });

  it("waits longer and longer for a server that takes it and drops it at once", async () => {
    const { viewer, sessions } = watching();
    void viewer.run();
    const drop = setInterval(() => sessions.at(-1)?.lose(), 100);
    await vi.advanceTimersByTimeAsync(8_000);
    clearInterval(drop);
    expect(sessions).toHaveLength(5); // after 0.5, 1, 2 and 4 s
  });

  it("tries at once when the network is back", async () => {
    const { viewer, kinds } = watching({ opens: [...Array(5)].map(() => new Problem("network", 0)) });
    void viewer.run();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(kinds().at(-1)).toBe("reconnecting");
    window.dispatchEvent(new Event("online"));
    await vi.advanceTimersByTimeAsync(0);
    expect(kinds().at(-1)).toBe("live");
  });

  it("remembers while it reconnects what the broadcast was", async () => {
    const { viewer, states, sessions } = watching({ look: async () => broadcast("waiting") });
    void viewer.run();
    await vi.advanceTimersByTimeAsync(0);
    sessions[0]?.lose();
    await vi.advanceTimersByTimeAsync(0);
    expect(states.at(-1)).toMatchObject({ kind: "reconnecting", last: { state: "waiting" } });
  });

  it("ends where the broadcast is gone, whether at the offer or later", async () => {
    const gone = new Problem("live.no_such_broadcast", 404);
    const late = watching({ look: () => Promise.reject(gone) });
    await late.viewer.run();
    const early = watching({ opens: [gone] });
    await early.viewer.run();
    expect([late.kinds(), early.kinds()]).toEqual([
      ["connecting", "ended"],
      ["connecting", "ended"],
    ]);
    expect(late.sessions[0]?.closed).toBe(true);
  });

  it("connects anew where the broadcast is being restarted, and says so", async () => {
    const looks = [broadcast("live"), broadcast("restarting")];
    const { viewer, states, sessions } = watching({ look: async () => looks.shift() ?? broadcast("live") });
    void viewer.run();
    await vi.advanceTimersByTimeAsync(3_000);
    expect(sessions).toHaveLength(2);
    expect(states.find(({ kind }) => kind === "reconnecting")).toMatchObject({
      problem: { code: "live.lost" },
    });
    expect(states.at(-1)?.kind).toBe("live");
  });

  it("gives up where trying again cannot help", async () => {
    const { viewer, kinds } = watching({ opens: [new Problem("live.sdp", 422)] });
    await viewer.run();
    expect(kinds()).toEqual(["connecting", "failed"]);
  });

  it("keeps the picture when only the question about it fails", async () => {
    const { viewer, kinds } = watching({ look: () => Promise.reject(new Problem("network", 0)) });
    void viewer.run();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(kinds()).toEqual(["connecting"]);
  });

  it("says nothing more once it is closed", async () => {
    const { viewer, kinds, sessions } = watching();
    const run = viewer.run();
    await vi.advanceTimersByTimeAsync(0);
    await viewer.close();
    await vi.advanceTimersByTimeAsync(10_000);
    await run;
    expect(kinds()).toEqual(["connecting", "live"]);
    expect(sessions.map(({ closed }) => closed)).toEqual([true]);
  });
});
