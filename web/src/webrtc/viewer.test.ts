import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Broadcast } from "../api/client";
import { Problem } from "../api/problem";
import { Backoff } from "./retry";
import { Viewer, type ViewerState } from "./viewer";

const broadcast = (state: Broadcast["state"]) => ({ id: "b", state }) as Broadcast;

/** A viewer of a server that answers each WHEP offer with the next of `opens`, and looks with `look`. */
function watching({
  opens = [],
  look = async () => broadcast("live"),
  hears = () => true,
}: {
  opens?: (Problem | null)[];
  look?: () => Promise<Broadcast>;
  hears?: () => boolean;
} = {}) {
  let packetsReceived = 0;
  const states: ViewerState[] = [];
  const sessions: { lose: () => void; closed: boolean }[] = [];
  const viewer = new Viewer({
    whepUrl: "/whep/b",
    sound: true,
    look,
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
          packetsReceived += hears() ? 100 : 0;
          return new Map([["video", { type: "inbound-rtp", packetsReceived }]]) as unknown as RTCStatsReport;
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
    expect(kinds()).toEqual(["connecting", "live", "retrying", "live"]);
    expect(sessions.map(({ closed }) => closed)).toEqual([true, false]);
  });

  it("comes back when no packet arrives any more, long before ICE would notice", async () => {
    let hearing = true;
    const { viewer, kinds, sessions } = watching({ hears: () => hearing });
    void viewer.run();
    await vi.advanceTimersByTimeAsync(1_000);
    hearing = false;
    await vi.advanceTimersByTimeAsync(3_200);
    hearing = true;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(kinds()).toEqual(["connecting", "live", "live", "retrying", "live"]);
    expect(sessions).toHaveLength(2);
  });

  it("waits longer after each failure and as long as the server asks", async () => {
    const full = new Problem("live.too_many", 503, "", 7);
    const { viewer, states } = watching({
      opens: [new Problem("network", 0), new Problem("network", 0), full],
    });
    vi.setSystemTime(0);
    void viewer.run();
    await vi.advanceTimersByTimeAsync(20_000);
    const waits = states.flatMap((state) => (state.kind === "retrying" ? [state.atMs] : []));
    expect(waits).toEqual([500, 500 + 1000, 1500 + 7000]);
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
