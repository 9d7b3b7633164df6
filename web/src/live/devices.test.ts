import { describe, expect, it, vi } from "vitest";
import { Camera, CameraError, type Choice } from "../webrtc/camera";
import { DeviceChoice, type Fault, isSilent } from "./devices";

const device = (kind: MediaDeviceKind, deviceId: string) =>
  ({ kind, deviceId, label: deviceId }) as MediaDeviceInfo;

function choosing(open: (choice: Choice) => Promise<void> = async () => undefined) {
  const all = [device("videoinput", "front"), device("videoinput", "desk"), device("audioinput", "mic")];
  const media = Object.assign(new EventTarget(), { enumerateDevices: async () => all });
  const camera = new Camera(media as unknown as MediaDevices, null, true);
  const onOpened = vi.fn<(fault: Fault | null) => void>();
  const opened = vi.fn(open);
  return { devices: new DeviceChoice({ camera, open: opened, onOpened }), opened, onOpened, media, camera };
}

describe("DeviceChoice", () => {
  it("opens what is chosen, and keeps to the rest of the choice", async () => {
    const { devices, opened, onOpened } = choosing();
    await devices.choose({ microphone: "mic" });
    await devices.choose({ camera: "desk" });
    expect(opened).toHaveBeenLastCalledWith({ camera: "desk", microphone: "mic" });
    expect(onOpened).toHaveBeenLastCalledWith(null);
    expect(devices.state.get()).toMatchObject({
      named: true,
      cameras: [{ label: "front" }, { label: "desk" }],
    });
  });

  it("offers another camera, and to go on without sound, where one cannot be had", async () => {
    const { devices, opened, onOpened } = choosing(() => Promise.reject(new CameraError("busy")));
    await devices.choose({ camera: "front" });
    const fault = onOpened.mock.lastCall?.[0];
    expect(fault?.error.fault).toBe("busy");
    fault?.ways.otherCamera?.();
    expect(opened).toHaveBeenLastCalledWith({ camera: "desk", microphone: null });
    fault?.ways.silently();
    expect(opened).toHaveBeenLastCalledWith({ camera: "desk", microphone: "none" });
  });

  it("learns of a device that is plugged in", async () => {
    const { devices, media } = choosing();
    media.dispatchEvent(new Event("devicechange"));
    await vi.waitFor(() => expect(devices.state.get().microphones).toHaveLength(1));
  });

  it("opens the camera for who wants to see themselves, once", async () => {
    const { devices, opened } = choosing();
    await devices.showSelf(true);
    expect(opened).toHaveBeenCalledOnce();
    await devices.showSelf(false);
    expect(opened).toHaveBeenCalledOnce();
    expect(devices.state.get().showsSelf).toBe(false);
  });

  it("is brought back with the devices and the mute of before", () => {
    const { devices, camera } = choosing();
    const mute = vi.spyOn(camera, "mute");
    devices.restore({ camera: "desk", microphone: "mic" }, true);
    expect(devices.choice).toEqual({ camera: "desk", microphone: "mic" });
    expect(mute).toHaveBeenCalledWith(true);
    expect(devices.state.get().muted).toBe(true);
  });

  it("knows a picture without the sound that was wanted from one that was to be silent", () => {
    const { devices } = choosing();
    const stream = { getAudioTracks: () => [] } as unknown as MediaStream;
    expect(isSilent(devices.state.get(), stream)).toBe(true);
    expect(isSilent(devices.state.get(), null)).toBe(false);
    devices.restore({ camera: null, microphone: "none" }, false);
    expect(isSilent(devices.state.get(), stream)).toBe(false);
  });
});
