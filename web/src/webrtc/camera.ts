import { type Readable, Store } from "../state/store";

/** Why the camera or the microphone could not be had. */
export type CameraFault = (typeof FAULTS)[number];

const FAULTS = [
  "denied", // this site may not, and the browser will not ask again
  "dismissed", // the question was closed or refused once; the browser asks again
  "system", // the browser itself may not, by the operating system's settings
  "forbidden", // neither the person nor the page can change it: an administrator's or an embedding page's rule
  "missing",
  "busy",
  "unfit", // the chosen device is gone, or cannot do what is asked
  "insecure", // browsers give devices to pages over https and on localhost only
  "unsupported",
  "failed",
  // The camera can be had, the microphone cannot: one may go on without sound.
  "microphoneDenied",
  "microphoneBusy",
  "microphoneFailed",
] as const;

export class CameraError extends Error {
  override readonly name = "CameraError";

  constructor(readonly fault: CameraFault) {
    super(fault);
  }

  /** Whether the picture alone could be had. */
  get isOfMicrophone(): boolean {
    return this.fault.startsWith("microphone");
  }

  /** Whether another camera may do better. */
  get isOfThisCamera(): boolean {
    return ["busy", "unfit", "failed"].includes(this.fault);
  }

  /** Whether the same attempt can end differently without the page being opened anew or elsewhere. */
  get isWorthARetry(): boolean {
    return !["insecure", "unsupported", "forbidden"].includes(this.fault);
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
  private readonly opened = new Store<MediaStream | null>(null);
  /** What is open now. */
  readonly streams: Readable<MediaStream | null> = this.opened;
  /** Device id of the camera that was open last. */
  lastId: string | null = null;
  private readonly losing = new EventTarget();
  private isMuted = false;

  /**
   * @param media The browser's devices; null where it gives the page none.
   * @param permissions What the person has decided before; null where the browser does not tell.
   * @param isSecure Whether the page came by https or from this machine.
   */
  constructor(
    private readonly media: MediaDevices | null = navigator.mediaDevices ?? null,
    private readonly permissions: Pick<Permissions, "query"> | null = navigator.permissions ?? null,
    private readonly isSecure: boolean = window.isSecureContext,
  ) {}

  get stream(): MediaStream | null {
    return this.opened.get();
  }

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
    if (this.media === null) throw new CameraError(this.isSecure ? "unsupported" : "insecure");
    // Phones refuse a second camera while the first is open.
    this.close();
    const stream = await this.ask(this.media, choice);
    // A track says so when its device is unplugged or taken away, but not when we stop it ourselves.
    for (const track of stream.getVideoTracks()) {
      this.lastId = track.getSettings().deviceId ?? null;
      track.addEventListener("ended", () => this.losing.dispatchEvent(new Event("lost")));
    }
    silence(stream, this.isMuted);
    this.opened.set(stream);
    return stream;
  }

  close(): void {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.opened.set(null);
  }

  /** Send silence instead of sound, or sound again; what is opened later is muted too. */
  mute(muted: boolean): void {
    this.isMuted = muted;
    if (this.stream !== null) silence(this.stream, muted);
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
    if (choice.microphone === "none") return await this.get(media, { video });
    const audio: MediaTrackConstraints = {
      echoCancellation: true,
      noiseSuppression: true,
      autoGainControl: true,
      ...(choice.microphone === null ? {} : { deviceId: { exact: choice.microphone } }),
    };
    try {
      return await media.getUserMedia({ video, audio });
    } catch (error) {
      // "Not found" does not say which of the two is missing; a broadcast without sound beats none.
      if (nameOf(error) === "NotFoundError") return await this.get(media, { video });
      throw await this.fault(error, () => media.getUserMedia({ video }));
    }
  }

  private async get(media: MediaDevices, constraints: MediaStreamConstraints): Promise<MediaStream> {
    try {
      return await media.getUserMedia(constraints);
    } catch (error) {
      throw await this.fault(error);
    }
  }

  /**
   * Name what is at fault where both devices were asked for, or the camera alone.
   *
   * @param openCamera Asks for the camera alone, where both were asked for.
   */
  private async fault(error: unknown, openCamera?: () => Promise<MediaStream>): Promise<CameraError> {
    switch (nameOf(error)) {
      case "NotAllowedError":
        return new CameraError(await this.refusal(error, openCamera !== undefined));
      case "SecurityError":
        return new CameraError(this.isSecure ? "forbidden" : "insecure");
      case "NotFoundError":
        return new CameraError("missing");
      // Firefox says "abort" where Chromium says "not readable": another program has the device, or it is broken.
      case "NotReadableError":
      case "AbortError":
        return new CameraError((await works(openCamera)) ? "microphoneBusy" : "busy");
      case "OverconstrainedError":
        return new CameraError((await works(openCamera)) ? "microphoneFailed" : "unfit");
      default:
        return new CameraError((await works(openCamera)) ? "microphoneFailed" : "failed");
    }
  }

  /** Who said no: asking the camera alone would put the same question to the person again. */
  private async refusal(error: unknown, askedBoth: boolean): Promise<CameraFault> {
    const text = error instanceof Error || error instanceof DOMException ? error.message.toLowerCase() : "";
    if (text.includes("system")) return "system"; // Chromium: "Permission denied by system"
    if (text.includes("policy")) return "forbidden";
    const [camera, microphone] = await Promise.all([this.decided("camera"), this.decided("microphone")]);
    if (camera === "denied") return "denied";
    if (askedBoth && microphone === "denied") return camera === "granted" ? "microphoneDenied" : "denied";
    return camera === "prompt" || text.includes("dismissed") ? "dismissed" : "denied";
  }

  private async decided(name: "camera" | "microphone"): Promise<PermissionState | null> {
    try {
      return (await this.permissions?.query({ name: name as PermissionName }))?.state ?? null;
    } catch {
      return null; // some browsers know no such name
    }
  }
}

function silence(stream: MediaStream, muted: boolean): void {
  for (const track of stream.getAudioTracks()) track.enabled = !muted;
}

function nameOf(error: unknown): string {
  return error instanceof Error || error instanceof DOMException ? error.name : "";
}

/** Whether the camera alone can be had; it is closed again at once. */
async function works(openCamera?: () => Promise<MediaStream>): Promise<boolean> {
  try {
    const stream = await openCamera?.();
    for (const track of stream?.getTracks() ?? []) track.stop();
    return stream !== undefined;
  } catch {
    return false;
  }
}
