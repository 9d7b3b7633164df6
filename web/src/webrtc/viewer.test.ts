import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Broadcast } from "../api/client";
import { Problem } from "../api/problem";
import { Backoff } from "./retry";
import { Viewer, type ViewerState } from "./viewer";

const broadcast = (state: Broadcast["state"], restarts = 0) => ({ id: "b", state, restarts }) as Broadcast;

/** A viewer of a server that answers each WHEP offer with the next of `opens`, and who has heard `news`. */
function watching({
  opens = [],
  news = broadcast("live"),
  decodes = () => true,
  answers = () => true,
}: {
  opens?: (Problem | null)[];
  news?: Broadcast | null;
  decodes?: () => boolean;
  answers?: () => boolean;
} = {}) {
  let framesDecoded = 0;
  const states: ViewerState[] = [];
  const sessions: { lose: () => void; closed: boolean }[] = [];
  const viewer = new Viewer({
    whepUrl: "/whep/b",
    sound: true,
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
          if (!answers()) return new Promise(() => undefined);
          framesDecoded += decodes() ? 30 : 0;
          const video = { type: "inbound-rtp", kind: "video", framesDecoded };
          return new Map([["video", video]]) as unknown as RTCStatsReport;
        },
      };
    },
  });
  const kinds = () => states.map(({ kind }) => kind);
  if (news !== null) viewer.heard(news);
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
    const { viewer, kinds } = watching({ news: broadcast("waiting") });
    void viewer.run();
    await vi.advanceTimersByTimeAsync(0);
    viewer.heard(broadcast("live"));
    viewer.heard(broadcast("paused"));
    expect(kinds()).toEqual(["connecting", "waiting", "live", "paused"]);
  });

  it("says nothing of a picture that it does not have yet", async () => {
    const { viewer, kinds } = watching({ opens: [new Problem("network", 0)] });
    void viewer.run();
    await vi.advanceTimersByTimeAsync(0);
    viewer.heard(broadcast("live"));
    expect(kinds()).toEqual(["connecting", "reconnecting"]);
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

  it("comes back though a browser says nothing any more about the lost connection", async () => {
    let answers = true;
    const { viewer, kinds, sessions } = watching({ answers: () => answers });
    void viewer.run();
    await vi.advanceTimersByTimeAsync(500);
    answers = false;
    await vi.advanceTimersByTimeAsync(1_000);
    sessions[0]?.lose();
    answers = true;
    await vi.advanceTimersByTimeAsync(600);
    expect(sessions).toHaveLength(2);
    expect(kinds().at(-1)).toBe("live");
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

  it("ends where the broadcast is gone, whether it hears so at the offer or in the news", async () => {
    const early = watching({ opens: [new Problem("live.no_such_broadcast", 404)] });
    await early.viewer.run();
    const late = watching();
    const run = late.viewer.run();
    await vi.advanceTimersByTimeAsync(0);
    late.viewer.heard(null);
    await run;
    expect([early.kinds(), late.kinds()]).toEqual([
      ["connecting", "ended"],
      ["connecting", "live", "ended"],
    ]);
    expect(late.sessions[0]?.closed).toBe(true);
  });

  it("says that a broadcast is unknown where there was never any news of it", async () => {
    const early = watching({ opens: [new Problem("live.no_such_broadcast", 404)], news: null });
    await early.viewer.run();
    const told = watching({ news: null });
    told.viewer.heard(null);
    expect([early.kinds(), told.kinds()]).toEqual([["connecting", "unknown"], ["unknown"]]);
  });

  it("leaves a dead line as soon as it hears of it, and connects once the broadcast is back", async () => {
    const { viewer, kinds, states, sessions } = watching();
    void viewer.run();
    await vi.advanceTimersByTimeAsync(0);
    viewer.heard(broadcast("restarting", 1));
    await vi.advanceTimersByTimeAsync(100);
    expect(states.at(-1)).toMatchObject({ kind: "reconnecting", problem: { code: "live.lost" } });
    expect(sessions.map(({ closed }) => closed)).toEqual([true]);
    viewer.heard(broadcast("waiting", 1));
    await vi.advanceTimersByTimeAsync(0);
    expect(kinds().at(-1)).toBe("waiting");
    expect(sessions.map(({ closed }) => closed)).toEqual([true, false]);
  });

  it("connects at once after a break that was over before it heard of it", async () => {
    const { viewer, kinds, sessions } = watching();
    void viewer.run();
    await vi.advanceTimersByTimeAsync(0);
    viewer.heard(broadcast("waiting", 1));
    await vi.advanceTimersByTimeAsync(0);
    expect(sessions).toHaveLength(2);
    expect(kinds().at(-1)).toBe("waiting");
  });

  it("gives up a connection that was being made to what broke", async () => {
    const { viewer, sessions } = watching();
    void viewer.run();
    viewer.heard(broadcast("restarting", 1));
    expect(sessions.map(({ closed }) => closed)).toEqual([true]);
  });

  it("does not take a broken server's word twice", async () => {
    const lost = new Problem("live.lost", 503, "", 1);
    const { viewer, sessions } = watching({ opens: [null, lost, lost, lost] });
    void viewer.run();
    await vi.advanceTimersByTimeAsync(0);
    viewer.heard(broadcast("waiting", 1));
    await vi.advanceTimersByTimeAsync(100);
    expect(sessions).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(900);
    expect(sessions).toHaveLength(3);
  });

  it("gives up where trying again cannot help", async () => {
    const { viewer, kinds } = watching({ opens: [new Problem("live.sdp", 422)] });
    await viewer.run();
    expect(kinds()).toEqual(["connecting", "failed"]);
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
