import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Api, Broadcast, CreatedBroadcast } from "../api/client";
import { hiding, showing, swapping } from "../api/policy";
import { Problem } from "../api/problem";
import type { Broadcaster, BroadcasterState } from "../webrtc/broadcaster";
import { Camera, CameraError } from "../webrtc/camera";
import { KeptBroadcast } from "./kept-broadcast";
import { LiveController } from "./live-controller";
import { OperatorCode } from "./operator-code";

const CREATED: CreatedBroadcast = {
  id: "b",
  token: "t",
  whip_url: "/whip/b",
  whep_url: "/whep/b",
  watch_url: "/watch/b",
  addresses: [],
};
const LIVE = { kind: "live", broadcast: CREATED, sinceMs: 5 } as const;

/** A controller whose broadcaster does nothing by itself: `enter` says what it has become. */
function controlled({ asked = async () => ({}) as Broadcast }: { asked?: Api["broadcast"] } = {}) {
  let enter: (state: BroadcasterState) => void = () => undefined;
  const broadcaster = {
    goLive: vi.fn(),
    change: vi.fn(async () => undefined),
    record: vi.fn(async () => undefined),
    choose: vi.fn(async () => undefined),
    resume: vi.fn(async () => undefined),
    heard: vi.fn(),
    stats: async () => null,
    stop: vi.fn(),
    leave: vi.fn(),
    takeOver: vi.fn((broadcast: CreatedBroadcast, sinceMs: number) =>
      enter({ kind: "interrupted", broadcast, sinceMs, isOpening: false }),
    ),
  };
  const preview = { run: vi.fn(async () => undefined), heard: vi.fn(), stats: vi.fn(), close: vi.fn() };
  const api = { broadcast: asked, addReference: async () => ({ id: "reference:1", notes: [], photos: [] }) };
  const live = new LiveController(api as unknown as Api, new OperatorCode(), {
    camera: new Camera(null, null, true),
    kept: new KeptBroadcast(sessionStorage, null),
    makeBroadcaster: (options) => {
      enter = options.onState;
      return broadcaster as unknown as Broadcaster;
    },
    makePreview: () => preview as never,
  });
  live.faces.offer([{ id: "mask:volto" }]);
  return { live, broadcaster, preview, enter: (state: BroadcasterState) => enter(state) };
}

async function withPhoto(live: LiveController) {
  vi.spyOn(URL, "createObjectURL").mockReturnValue("blob:photo");
  live.faces.choose({ kind: "photo" });
  live.faces.photos.take([new File(["x"], "me.jpg")]);
  await live.faces.photos.upload("en");
}

describe("LiveController", () => {
  beforeEach(() => {
    sessionStorage.clear();
    vi.stubGlobal(
      "WebSocket",
      class extends EventTarget {
        close() {}
      },
    );
  });

  it("goes live with what is chosen, and not before something is", () => {
    const { live, broadcaster } = controlled();
    live.title.set("  Walk ");
    live.faces.choose({ kind: "photo" });
    live.goLive();
    expect(broadcaster.goLive).not.toHaveBeenCalled();
    live.faces.choose({ kind: "mask" });
    live.goLive();
    expect(broadcaster.goLive).toHaveBeenCalledWith(
      swapping("mask:volto", "primary"),
      "Walk",
      live.devices.choice,
    );
  });

  it("shows the preview from going live until the end", () => {
    const { live, preview, enter } = controlled();
    enter(LIVE);
    enter(LIVE); // it comes back after a loss
    expect(preview.run).toHaveBeenCalledOnce();
    enter({ kind: "ended", by: "broadcaster" });
    expect(preview.close).toHaveBeenCalledOnce();
    expect(live.news.get()).toBeNull();
  });

  it("changes the treatment on air, and says how that went", async () => {
    const { live, broadcaster, enter } = controlled();
    live.faces.choose({ everybody: true });
    expect(broadcaster.change).not.toHaveBeenCalled();
    enter(LIVE);
    live.faces.choose({ everybody: false });
    expect(live.change.get().note).toBe("changing");
    await vi.waitFor(() => expect(live.change.get()).toEqual({ note: "changed", problem: null }));
    broadcaster.change.mockRejectedValueOnce(new Problem("policy", 422));
    live.faces.choose({ everybody: true });
    await vi.waitFor(() => expect(live.change.get().problem?.code).toBe("policy"));
    expect(live.change.get().note).toBeNull();
  });

  it("asks for the operator's code once the server does", () => {
    const { live, enter } = controlled();
    expect(live.code.isNeeded.get()).toBe(false);
    enter({ kind: "failed", error: new Problem("live.token", 401) });
    expect(live.code.isNeeded.get()).toBe(true);
  });

  it("says on the stage why there is no camera", async () => {
    const { live, enter } = controlled();
    enter({ kind: "failed", error: new CameraError("busy") });
    await vi.waitFor(() => expect(live.fault.get()?.error.fault).toBe("busy"));
    enter({ kind: "opening-camera" });
    expect(live.fault.get()).toBeNull();
  });

  it("has photos that the server forgot declared anew, and says so in one place", async () => {
    const { live, enter } = controlled();
    await withPhoto(live);
    enter({ kind: "failed", error: new Problem("persona.unknown", 422) });
    expect(live.faces.photos.state.get().upload.kind).toBe("gone");
    expect(live.state.get().kind).toBe("idle"); // no second sentence beside the button
  });

  it("hides a person whom the server does not know any more, and goes on showing the others", async () => {
    const { live, enter, broadcaster } = controlled();
    live.people.restore([
      { id: "person:1", name: "Ann" },
      { id: "person:2", name: "Bob" },
    ]);
    enter(LIVE);
    const unknown = new Problem("policy.unknown_person", 422, "", null, [], ["person:1"]);
    broadcaster.change.mockRejectedValueOnce(unknown);
    live.faces.choose({ kind: "mosaic" });
    await vi.waitFor(() =>
      expect(broadcaster.change).toHaveBeenLastCalledWith(showing(["person:2"], hiding())),
    );
    await vi.waitFor(() => expect(live.change.get()).toEqual({ note: "changed", problem: null }));
    expect(live.people.state.get().gone).toEqual(["Ann"]);
  });

  it("says of a mask that the server does not know what is wrong beside the button", () => {
    const { live, enter } = controlled();
    enter({ kind: "failed", error: new Problem("persona.unknown", 422) });
    expect(live.state.get().kind).toBe("failed");
  });

  describe("a page that is loaded anew", () => {
    const onAir = async () => {
      const { live, enter } = controlled();
      live.title.set("Walk");
      await withPhoto(live);
      live.mute(true);
      enter(LIVE);
    };

    it("goes on with the same link, title, photo and mute", async () => {
      await onAir();
      const { live, broadcaster } = controlled();
      await live.takeOver(true);
      expect(broadcaster.takeOver).toHaveBeenCalledWith(CREATED, 5);
      expect(broadcaster.resume).toHaveBeenCalledOnce();
      expect(live.title.get()).toBe("Walk");
      expect(live.faces.policy).toEqual(swapping("reference:1", "primary"));
      expect(live.devices.state.get().muted).toBe(true);
    });

    it("uses the microphone that was chosen on air", async () => {
      const { live, enter } = controlled();
      enter(LIVE);
      await live.devices.choose({ microphone: "none" });
      const again = controlled();
      await again.live.takeOver(true);
      expect(again.broadcaster.resume).toHaveBeenCalledWith({ camera: null, microphone: "none" });
    });

    it("asks first where it was come to in another way", async () => {
      await onAir();
      const { live, broadcaster } = controlled();
      await live.takeOver(false);
      expect(broadcaster.resume).not.toHaveBeenCalled();
      live.goLive();
      expect(broadcaster.resume).toHaveBeenCalledOnce();
      expect(broadcaster.goLive).not.toHaveBeenCalled();
    });

    it("begins afresh where the broadcast is over", async () => {
      await onAir();
      const over = () => Promise.reject(new Problem("live.no_such_broadcast", 404));
      const { live, broadcaster } = controlled({ asked: over });
      await live.takeOver(true);
      expect(broadcaster.takeOver).not.toHaveBeenCalled();
      expect(live.state.get().kind).toBe("idle");
      expect(sessionStorage.getItem("mien.broadcast")).toBeNull();
    });

    it("begins afresh after it was stopped", async () => {
      await onAir();
      const { live, broadcaster, enter } = controlled();
      enter(LIVE);
      enter({ kind: "stopping" });
      await live.takeOver(true);
      expect(broadcaster.takeOver).not.toHaveBeenCalled();
    });
  });
});
