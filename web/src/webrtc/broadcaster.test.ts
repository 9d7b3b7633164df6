import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Broadcast, CreatedBroadcast } from "../api/client";
import { hiding, swapping, treatmentOf } from "../api/policy";
import { Problem } from "../api/problem";
import { Broadcaster, type BroadcasterState } from "./broadcaster";
import { CameraError } from "./camera";
import { Backoff } from "./retry";

const CREATED: CreatedBroadcast = {
  id: "b",
  token: "t",
  whip_url: "/whip/b",
  whep_url: "/whep/b",
  watch_url: "/watch/b",
  addresses: [],
};
const MOSAIC = hiding();
const ANY = { camera: null, microphone: null };

const news = (state: Broadcast["state"], restarts = 0) => ({ id: "b", state, restarts }) as Broadcast;

/** A stream whose one camera can be unplugged. */
function cameraStream() {
  const track = { readyState: "live" as MediaStreamTrackState };
  return { getVideoTracks: () => [track], unplug: () => (track.readyState = "ended") };
}

/** A broadcaster whose offers meet the next of `opens`, on a server that keeps a diary of what it was told. */
function broadcasting({
  opens = [],
  create = async (): Promise<CreatedBroadcast> => CREATED,
  openCamera = async () => cameraStream() as unknown as MediaStream,
}: {
  opens?: (Problem | null)[];
  create?: () => Promise<CreatedBroadcast>;
  openCamera?: () => Promise<MediaStream>;
} = {}) {
  const states: BroadcasterState[] = [];
  const diary: string[] = [];
  const lose: (() => void)[] = [];
  let cameraLost: () => void = () => undefined;
  const camera = {
    stream: null as MediaStream | null,
    onLost: (listener: () => void) => (cameraLost = listener),
    open: async () => {
      camera.stream = null;
      camera.stream = await openCamera();
      diary.push("camera opened");
      return camera.stream;
    },
    close: () => {
      camera.stream = null;
      diary.push("camera closed");
    },
  };
  const broadcaster = new Broadcaster({
    api: {
      create,
      change: async (id, token, policy) => {
        diary.push(`${id} ${token} becomes ${treatmentOf(policy)}`);
        return {} as never;
      },
      record: async (id, token, on) => {
        diary.push(`${id} ${token} recorded: ${on}`);
        return {} as never;
      },
      end: async (id, token) => void diary.push(`${id} ${token} ended`),
      leave: (id, token) => void diary.push(`${id} ${token} left`),
    },
    camera,
    onState: (state) => states.push(state),
    backoff: new Backoff(() => 0.5),
    openSession: (_token, onLost) => {
      lose.push(onLost);
      return {
        open: async () => {
          const problem = opens.shift();
          if (problem) throw problem;
        },
        replace: async () => void diary.push("tracks replaced"),
        close: async () => void diary.push("session closed"),
        stats: async () => new Map() as RTCStatsReport,
        limitFps: async (fps) => void diary.push(`at most ${fps} fps`),
      };
    },
  });
  const unplug = () => {
    (camera.stream as unknown as ReturnType<typeof cameraStream>).unplug();
    cameraLost();
  };
  return { broadcaster, states, kinds: () => states.map(({ kind }) => kind), diary, lose, unplug };
}

describe("Broadcaster", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("opens the camera, makes the broadcast and goes live", async () => {
    const { broadcaster, kinds } = broadcasting();
    await broadcaster.goLive(MOSAIC, "", ANY);
    expect(kinds()).toEqual(["opening-camera", "connecting", "live"]);
  });

  it("makes no broadcast without a camera", async () => {
    const create = vi.fn(async () => CREATED);
    const { broadcaster, states } = broadcasting({
      create,
      openCamera: () => Promise.reject(new CameraError("denied")),
    });
    await broadcaster.goLive(MOSAIC, "", ANY);
    expect(states.at(-1)).toMatchObject({ kind: "failed", error: { fault: "denied" } });
    expect(create).not.toHaveBeenCalled();
  });

  it("takes a broadcast down that it could not publish to", async () => {
    const { broadcaster, states, diary } = broadcasting({ opens: [new Problem("live.sdp", 422)] });
    await broadcaster.goLive(MOSAIC, "", ANY);
    expect(states.at(-1)).toMatchObject({ kind: "failed", error: { code: "live.sdp" } });
    expect(diary).toContain("b t ended");
  });

  it("changes the treatment on air with the broadcast's token", async () => {
    const { broadcaster, diary } = broadcasting();
    await broadcaster.goLive(MOSAIC, "", ANY);
    await broadcaster.change(swapping("mask:volto", "primary"));
    expect(diary).toContain("b t becomes swap");
  });

  it("moves a broadcast to another camera without a new offer", async () => {
    const { broadcaster, diary, lose } = broadcasting();
    await broadcaster.goLive(MOSAIC, "", ANY);
    await broadcaster.choose({ camera: "back", microphone: null });
    expect(diary).toContain("tracks replaced");
    expect(lose).toHaveLength(1);
  });

  it("comes back to the same broadcast after a loss, patient while the server holds the old one", async () => {
    const taken = new Problem("live.taken", 409);
    const { broadcaster, kinds, states, diary, lose } = broadcasting({ opens: [null, taken, null] });
    await broadcaster.goLive(MOSAIC, "", ANY);
    lose[0]?.();
    await vi.advanceTimersByTimeAsync(3_000);
    expect(kinds().filter((kind) => kind !== "reconnecting")).toEqual([
      "opening-camera",
      "connecting",
      "live",
      "live",
    ]);
    const told = states.flatMap((state) => (state.kind === "reconnecting" ? [state.atMs !== null] : []));
    expect(told).toEqual([true, false, true, false]); // waits, tries, waits, tries
    expect(diary).not.toContain("camera closed");
    expect(diary).not.toContain("b t ended");
  });

  it("tells since when it has been on air, losses or not", async () => {
    const { broadcaster, states, lose } = broadcasting();
    vi.setSystemTime(1_000);
    await broadcaster.goLive(MOSAIC, "", ANY);
    await vi.advanceTimersByTimeAsync(9_000);
    lose[0]?.();
    await vi.advanceTimersByTimeAsync(1_000);
    const since = states.flatMap((state) => ("sinceMs" in state ? [state.sinceMs] : []));
    expect(new Set(since)).toEqual(new Set([1_000]));
  });

  it("waits as long as a server that restarts asks", async () => {
    const restarting = new Problem("live.restarting", 503, "", 4);
    const { broadcaster, kinds, lose } = broadcasting({ opens: [null, restarting, null] });
    await broadcaster.goLive(MOSAIC, "", ANY);
    lose[0]?.();
    await vi.advanceTimersByTimeAsync(4_400);
    expect(kinds().at(-1)).toBe("reconnecting");
    await vi.advanceTimersByTimeAsync(200);
    expect(kinds().at(-1)).toBe("live");
  });

  it("sends fewer frames to a server that treats fewer", async () => {
    const { broadcaster, diary } = broadcasting();
    await broadcaster.goLive(MOSAIC, "", ANY);
    for (let second = 0; second < 13; second++) {
      broadcaster.heard({ ...news("live"), fps_in: 30, fps_out: 19 });
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(diary.filter((line) => line.startsWith("at most")).at(-1)).toBe("at most 25 fps");
  });

  it("is off air, camera too, when the broadcast is gone on its return, and makes no other", async () => {
    const gone = new Problem("live.no_such_broadcast", 404);
    const { broadcaster, states, diary, lose } = broadcasting({ opens: [null, gone] });
    await broadcaster.goLive(MOSAIC, "", ANY);
    lose[0]?.();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(states.at(-1)).toEqual({ kind: "ended", by: "server" });
    expect(diary).toContain("camera closed");
  });

  it("leaves a dead line as soon as it hears of it, and publishes anew once the broadcast is back", async () => {
    const { broadcaster, kinds, states, diary, lose } = broadcasting();
    await broadcaster.goLive(MOSAIC, "", ANY);
    broadcaster.heard(news("live"));
    broadcaster.heard(news("restarting", 1));
    await vi.advanceTimersByTimeAsync(100);
    expect(states.at(-1)).toMatchObject({ kind: "reconnecting", problem: { code: "live.lost" } });
    expect(diary).toContain("session closed");
    broadcaster.heard(news("waiting", 1));
    await vi.advanceTimersByTimeAsync(0);
    expect(kinds().at(-1)).toBe("live");
    expect(lose).toHaveLength(2);
  });

  it("is off air, camera too, as soon as it hears that the broadcast is gone", async () => {
    const { broadcaster, states, diary } = broadcasting();
    await broadcaster.goLive(MOSAIC, "", ANY);
    broadcaster.heard(null);
    await vi.advanceTimersByTimeAsync(0);
    expect(states.at(-1)).toEqual({ kind: "ended", by: "server" });
    expect(diary).toContain("camera closed");
  });

  it("keeps the broadcast when the camera is unplugged, and goes on with another one", async () => {
    const { broadcaster, kinds, diary, lose, unplug } = broadcasting();
    await broadcaster.goLive(MOSAIC, "", ANY);
    unplug();
    expect(kinds().at(-1)).toBe("camera-lost");
    await broadcaster.choose({ camera: "other", microphone: null });
    expect(kinds().at(-1)).toBe("live");
    expect(diary).toEqual(["camera opened", "camera opened", "tracks replaced"]);
    expect(lose).toHaveLength(1);
  });

  it("publishes nothing without a camera, however long that takes, and then in the same broadcast", async () => {
    const { broadcaster, kinds, diary, lose, unplug } = broadcasting();
    await broadcaster.goLive(MOSAIC, "", ANY);
    unplug();
    lose[0]?.(); // the server gives up a publisher that sends no pictures
    await vi.advanceTimersByTimeAsync(60_000);
    expect(kinds().at(-1)).toBe("camera-lost");
    expect(lose).toHaveLength(1);
    await broadcaster.choose({ camera: "other", microphone: null });
    await vi.advanceTimersByTimeAsync(0);
    expect(kinds().at(-1)).toBe("live");
    expect(lose).toHaveLength(2);
    expect(diary).not.toContain("b t ended");
  });

  it("says so when the camera that was chosen on air cannot be had", async () => {
    const opened = [Promise.resolve(cameraStream()), Promise.reject(new CameraError("busy"))];
    const { broadcaster, kinds } = broadcasting({
      openCamera: () => opened.shift() as unknown as Promise<MediaStream>,
    });
    await broadcaster.goLive(MOSAIC, "", ANY);
    await expect(broadcaster.choose({ camera: "busy", microphone: null })).rejects.toMatchObject({
      fault: "busy",
    });
    expect(kinds().at(-1)).toBe("camera-lost");
  });

  it("goes off air from a page that goes, once, and lets the server end the broadcast", async () => {
    const { broadcaster, diary } = broadcasting();
    await broadcaster.goLive(MOSAIC, "", ANY);
    broadcaster.leave();
    broadcaster.leave();
    await vi.advanceTimersByTimeAsync(0);
    expect(diary.filter((entry) => entry !== "camera closed")).toEqual([
      "camera opened",
      "b t left",
      "session closed",
    ]);
    expect(diary.at(-1)).toBe("camera closed");
  });

  it("goes on with the broadcast of a page that was loaded anew", async () => {
    const { broadcaster, states, kinds, diary } = broadcasting({
      opens: [new Problem("live.taken", 409, "", 2)], // by the page's own connection of before
    });
    broadcaster.takeOver(CREATED, 1234);
    expect(states.at(-1)).toMatchObject({ kind: "interrupted", isOpening: false, broadcast: CREATED });
    const resumed = broadcaster.resume(ANY);
    await vi.advanceTimersByTimeAsync(5_000);
    await resumed;
    expect(kinds()).toEqual([
      "interrupted",
      "interrupted",
      "reconnecting",
      "reconnecting",
      "reconnecting",
      "live",
    ]);
    expect(states.at(-1)).toMatchObject({ broadcast: CREATED, sinceMs: 1234 });
    await broadcaster.change(hiding());
    expect(diary).toContain("b t becomes mosaic");
  });

  it("keeps a broadcast that was taken over while its camera cannot be had, until it is over", async () => {
    const { broadcaster, states, diary } = broadcasting({
      openCamera: () => Promise.reject(new CameraError("busy")),
    });
    broadcaster.takeOver(CREATED, 0);
    await expect(broadcaster.resume(ANY)).rejects.toMatchObject({ fault: "busy" });
    expect(states.at(-1)).toMatchObject({ kind: "interrupted", isOpening: false });
    expect(diary).not.toContain("b t ended");
    broadcaster.heard(null);
    await vi.advanceTimersByTimeAsync(0);
    expect(states.at(-1)).toEqual({ kind: "ended", by: "server" });
  });

  it("stops: broadcast ended, session closed, camera off", async () => {
    const { broadcaster, kinds, diary } = broadcasting();
    await broadcaster.goLive(MOSAIC, "", ANY);
    await broadcaster.stop();
    expect(diary).toEqual(["camera opened", "b t ended", "session closed", "camera closed"]);
    expect(kinds().at(-1)).toBe("ended");
  });

  it("leaves nothing behind when stopped while the broadcast is being made", async () => {
    let finish: (created: CreatedBroadcast) => void = () => undefined;
    const { broadcaster, kinds, diary } = broadcasting({
      create: () => new Promise((resolve) => (finish = resolve)),
    });
    const going = broadcaster.goLive(MOSAIC, "", ANY);
    await vi.advanceTimersByTimeAsync(0);
    await broadcaster.stop();
    finish(CREATED);
    await going;
    expect(diary).toContain("b t ended");
    expect(kinds()).not.toContain("live");
  });

  it("does not come back once it was stopped", async () => {
    const { broadcaster, kinds, lose } = broadcasting();
    await broadcaster.goLive(MOSAIC, "", ANY);
    lose[0]?.();
    await broadcaster.stop();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(kinds().at(-1)).toBe("ended");
  });
});
