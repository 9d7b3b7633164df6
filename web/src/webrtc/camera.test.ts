import { describe, expect, it, vi } from "vitest";
import { Camera, type CameraError, type CameraFault, type Choice } from "./camera";

/** Devices whose `getUserMedia` gives these outcomes one after another. */
function devices(...outcomes: (MediaStream | DOMException)[]) {
  const asked: MediaStreamConstraints[] = [];
  const media = {
    async getUserMedia(constraints: MediaStreamConstraints) {
      asked.push(constraints);
      const outcome = outcomes.shift();
      if (outcome === undefined || outcome instanceof DOMException) throw outcome;
      return outcome;
    },
    async enumerateDevices() {
      return [
        { kind: "videoinput", deviceId: "front", label: "Front" },
        { kind: "audioinput", deviceId: "", label: "" },
      ];
    },
  };
  return { media: media as unknown as MediaDevices, asked };
}

function stream() {
  let stopped = false;
  const track = Object.assign(new EventTarget(), {
    stop: () => (stopped = true),
    getSettings: () => ({ deviceId: "front" }),
  });
  const getTracks = () => [track];
  return {
    stream: { getTracks, getVideoTracks: getTracks, getAudioTracks: () => [] } as unknown as MediaStream,
    stopped: () => stopped,
    unplug: () => track.dispatchEvent(new Event("ended")),
  };
}

const chosen = { camera: null, microphone: null };

describe("Camera", () => {
  const opened = (camera: Camera, choice: Choice = chosen) =>
    camera.open(choice).catch((thrown: unknown) => (thrown as CameraError).fault);
  const allows = (states: Partial<Record<string, PermissionState>>) => ({
    async query({ name }: { name: string }) {
      const state = states[name];
      if (state === undefined) throw new TypeError("no such permission");
      return { state } as PermissionStatus;
    },
  });

  it.each<[string, string, CameraFault]>([
    ["NotAllowedError", "", "denied"],
    ["NotAllowedError", "Permission dismissed", "dismissed"],
    ["NotAllowedError", "Permission denied by system", "system"],
    ["NotAllowedError", "Disallowed by Permissions Policy", "forbidden"],
    ["SecurityError", "", "forbidden"],
    ["NotReadableError", "", "busy"],
    ["AbortError", "", "busy"],
    ["OverconstrainedError", "", "unfit"],
    ["TypeError", "", "failed"],
    ["SomethingNewError", "", "failed"],
  ])("explains %s (%s) as %s", async (name, message, fault) => {
    const { media } = devices(new DOMException(message, name), new DOMException(message, name));
    expect(await opened(new Camera(media, null, true))).toBe(fault);
    const silent = devices(new DOMException(message, name));
    expect(await opened(new Camera(silent.media, null, true), { camera: null, microphone: "none" })).toBe(
      fault,
    );
  });

  it.each<[PermissionState, PermissionState, CameraFault]>([
    ["denied", "denied", "denied"],
    ["denied", "granted", "denied"],
    ["granted", "denied", "microphoneDenied"],
    ["prompt", "prompt", "dismissed"],
    ["prompt", "denied", "denied"],
  ])(
    "knows of whom a refusal is where the camera is %s and the microphone %s",
    async (camera, microphone, fault) => {
      const { media, asked } = devices(new DOMException("", "NotAllowedError"));
      expect(await opened(new Camera(media, allows({ camera, microphone }), true))).toBe(fault);
      expect(asked.length).toBe(1); // a second question would be put to the person
    },
  );

  it.each<[string, CameraFault]>([
    ["NotReadableError", "microphoneBusy"],
    ["AbortError", "microphoneBusy"],
    ["OverconstrainedError", "microphoneFailed"],
    ["SomethingNewError", "microphoneFailed"],
  ])("finds out that %s is the microphone's, and lets the camera go again", async (name, fault) => {
    const alone = stream();
    const { media } = devices(new DOMException("", name), alone.stream);
    const camera = new Camera(media, null, true);
    expect(await opened(camera)).toBe(fault);
    expect(alone.stopped()).toBe(true);
    expect(camera.stream).toBeNull();
  });

  it("finds no camera where neither device is there", async () => {
    const none = () => new DOMException("", "NotFoundError");
    expect(await opened(new Camera(devices(none(), none()).media, null, true))).toBe("missing");
  });

  it("tells a page that is not secure from a browser that has no devices", async () => {
    expect(await opened(new Camera(null, null, false))).toBe("insecure");
    expect(await opened(new Camera(null, null, true))).toBe("unsupported");
    const { media } = devices(new DOMException("", "SecurityError"));
    expect(await opened(new Camera(media, null, false))).toBe("insecure");
  });

  it("sends silence while it is muted, from what is opened later too", async () => {
    const sound = () => {
      const track = Object.assign(new EventTarget(), {
        enabled: true,
        stop: () => undefined,
        getSettings: () => ({}),
      });
      return { track, getTracks: () => [track], getVideoTracks: () => [], getAudioTracks: () => [track] };
    };
    const [first, second] = [sound(), sound()];
    const camera = new Camera(devices(first as never, second as never).media, null, true);
    await camera.open(chosen);
    camera.mute(true);
    expect(first.track.enabled).toBe(false);
    await camera.open(chosen);
    expect(second.track.enabled).toBe(false);
    camera.mute(false);
    expect(second.track.enabled).toBe(true);
  });

  it("tells who listens which stream is open", async () => {
    const camera = new Camera(devices(stream().stream).media, null, true);
    const heard: boolean[] = [];
    camera.streams.subscribe(() => heard.push(camera.stream !== null));
    await camera.open(chosen);
    camera.close();
    expect(heard).toEqual([true, false]);
  });

  it("broadcasts without sound where there is no microphone", async () => {
    const { stream: silent } = stream();
    const { media, asked } = devices(new DOMException("", "NotFoundError"), silent);
    expect(await new Camera(media, null, true).open(chosen)).toBe(silent);
    expect(asked[1]?.audio).toBeUndefined();
  });

  it("asks for the very devices that were chosen", async () => {
    const { media, asked } = devices(stream().stream);
    await new Camera(media, null, true).open({ camera: "front", microphone: "desk" });
    expect(asked[0]).toMatchObject({
      video: { deviceId: { exact: "front" }, width: { ideal: 1280 } },
      audio: { deviceId: { exact: "desk" } },
    });
  });

  it("closes the open stream before it opens another", async () => {
    const first = stream();
    const { media } = devices(first.stream, stream().stream);
    const camera = new Camera(media, null, true);
    await camera.open(chosen);
    await camera.open(chosen);
    expect(first.stopped()).toBe(true);
  });

  it("tells when the camera is unplugged, and remembers which one it was", async () => {
    const first = stream();
    const camera = new Camera(devices(first.stream).media, null, true);
    const lost = vi.fn();
    camera.onLost(lost);
    await camera.open(chosen);
    expect(lost).not.toHaveBeenCalled();
    first.unplug();
    expect(lost).toHaveBeenCalledOnce();
    expect(camera.lastId).toBe("front");
  });

  it("lists no device before the person has agreed, when browsers hide their ids", async () => {
    const { cameras, microphones } = await new Camera(devices().media).devices();
    expect(cameras.map(({ deviceId }) => deviceId)).toEqual(["front"]);
    expect(microphones).toEqual([]);
  });
});
