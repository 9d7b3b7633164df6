import type { Words } from "../words/en";

/** Why the camera could not be had; each has a sentence and an advice in both languages. */
export type CameraFault = "denied" | "missing" | "busy" | "insecure" | "unfit" | "failed";

export class CameraError extends Error {
  override readonly name = "CameraError";

  constructor(readonly fault: CameraFault) {
    super(fault);
  }

  say(words: Words): { what: string; advice: string } {
    return { what: words.camera[this.fault], advice: words.camera[`${this.fault}More`] };
  }
}

export interface Choice {
  /** Device ids; null lets the browser choose. */
  camera: string | null;
  /** Device id; null lets the browser choose; "none" wants no sound. */
  microphone: string | null;
}

export interface Devices {
  cameras: readonly MediaDeviceInfo[];
  microphones: readonly MediaDeviceInfo[];
  /** Whether the person has agreed: before, browsers hide names and ids. */
  named: boolean;
}

/** The person's camera and microphone. At most one stream is open at a time. */
export class Camera {
  stream: MediaStream | null = null;
  /** Device id of the camera that was open last. */
  lastId: string | null = null;
  private readonly losing = new EventTarget();

  /** @param media The browser's devices; null on a page that is not secure, where it has none. */
  constructor(private readonly media: MediaDevices | null = navigator.mediaDevices ?? null) {}

  async devices(): Promise<Devices> {
    const all = (await this.media?.enumerateDevices()) ?? [];
    return {
      cameras: all.filter(({ kind, deviceId }) => kind === "videoinput" && deviceId !== ""),
      microphones: all.filter(({ kind, deviceId }) => kind === "audioinput" && deviceId !== ""),
      named: all.some(({ label }) => label !== ""),
    };
  }

  /** Open what was chosen, closing what was open. Without a microphone there is still a picture. */
  async open(choice: Choice): Promise<MediaStream> {
    if (this.media === null) throw new CameraError("insecure");
    // Phones refuse a second camera while the first is open.
    this.close();
    const stream = await this.ask(this.media, choice);
    this.stream = stream;
    // A track says so when its device is unplugged or taken away, but not when we stop it ourselves.
    for (const track of stream.getVideoTracks()) {
      this.lastId = track.getSettings().deviceId ?? null;
      track.addEventListener("ended", () => this.losing.dispatchEvent(new Event("lost")));
    }
    return stream;
  }

  close(): void {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
  }

  /** Call `listener` whenever the open camera is unplugged, or no longer allowed. */
  onLost(listener: () => void): void {
    this.losing.addEventListener("lost", listener);
  }

  onChange(listener: () => void): void {
    this.media?.addEventListener("devicechange", listener);
  }

  private async ask(media: MediaDevices, choice: Choice): Promise<MediaStream> {
    const video: MediaTrackConstraints = {
      width: { ideal: 1280 },
      height: { ideal: 720 },
      frameRate: { ideal: 30 },
      ...(choice.camera === null ? { facingMode: "user" } : { deviceId: { exact: choice.camera } }),
    };
    if (choice.microphone === "none") return await get(media, { video });
    const audio: MediaTrackConstraints = {
      echoCancellation: true,
      noiseSuppression: true,
      autoGainControl: true,
      ...(choice.microphone === null ? {} : { deviceId: { exact: choice.microphone } }),
    };
    try {
      return await get(media, { video, audio });
    } catch (error) {
      // "Not found" does not say which of the two is missing; a broadcast without sound beats none.
      if (error instanceof CameraError && error.fault === "missing") return await get(media, { video });
      throw error;
    }
  }
}

const FAULTS: Record<string, CameraFault> = {
  NotAllowedError: "denied",
  NotFoundError: "missing",
  NotReadableError: "busy",
  AbortError: "busy",
  SecurityError: "insecure",
  OverconstrainedError: "unfit",
};

async function get(media: MediaDevices, constraints: MediaStreamConstraints): Promise<MediaStream> {
  try {
    return await media.getUserMedia(constraints);
  } catch (error) {
    const name = error instanceof Error || error instanceof DOMException ? error.name : "";
    throw new CameraError(FAULTS[name] ?? "failed");
  }
}
