import { describe, expect, it, vi } from "vitest";
import { en } from "../words/en";
import { ko } from "../words/ko";
import { Camera, CameraError, type CameraFault } from "./camera";

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
    stream: { getTracks, getVideoTracks: getTracks } as unknown as MediaStream,
    stopped: () => stopped,
    unplug: () => track.dispatchEvent(new Event("ended")),
  };
}

const chosen = { camera: null, microphone: null };

describe("Camera", () => {
  it.each<[string, CameraFault]>([
    ["NotAllowedError", "denied"],
    ["NotReadableError", "busy"],
    ["OverconstrainedError", "unfit"],
    ["SomethingNewError", "failed"],
  ])("explains %s as %s, in both languages", async (name, fault) => {
    const { media } = devices(new DOMException("", name));
    const error = await new Camera(media).open(chosen).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CameraError);
    expect((error as CameraError).say(en).what).toBe(en.camera[fault]);
    expect((error as CameraError).say(ko).advice).toBe(ko.camera[`${fault}More`]);
  });

  it("explains a page that is not secure, where there are no devices at all", async () => {
    await expect(new Camera(null).open(chosen)).rejects.toMatchObject({ fault: "insecure" });
  });

  it("broadcasts without sound where there is no microphone", async () => {
    const { stream: silent } = stream();
    const { media, asked } = devices(new DOMException("", "NotFoundError"), silent);
    expect(await new Camera(media).open(chosen)).toBe(silent);
    expect(asked[1]?.audio).toBeUndefined();
  });

  it("asks for the very devices that were chosen", async () => {
    const { media, asked } = devices(stream().stream);
    await new Camera(media).open({ camera: "front", microphone: "desk" });
    expect(asked[0]).toMatchObject({
      video: { deviceId: { exact: "front" }, width: { ideal: 1280 } },
      audio: { deviceId: { exact: "desk" } },
    });
  });

  it("closes the open stream before it opens another", async () => {
    const first = stream();
    const { media } = devices(first.stream, stream().stream);
    const camera = new Camera(media);
    await camera.open(chosen);
    await camera.open(chosen);
    expect(first.stopped()).toBe(true);
  });

  it("tells when the camera is unplugged, and remembers which one it was", async () => {
    const first = stream();
    const camera = new Camera(devices(first.stream).media);
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
