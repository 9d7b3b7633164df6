import { Store } from "../state/store";
import { type Camera, CameraError, type Choice, type Devices } from "../webrtc/camera";

/** What to do about a camera or a microphone that cannot be had. */
export interface Ways {
  /** Do again what failed. */
  retry: () => void;
  /** Do it with another camera; null where there is no other. */
  otherCamera: (() => void) | null;
  /** Do it without the microphone. */
  silently: () => void;
}

/** Why there is no camera, and what can be done. */
export interface Fault {
  error: CameraError;
  ways: Ways;
}

export interface DeviceState extends Devices {
  choice: Choice;
  /** Whether the person sees the untreated camera, on this screen alone. */
  showsSelf: boolean;
  muted: boolean;
}

export interface DeviceChoiceOptions {
  camera: Camera;
  /** Opens another choice. */
  open: (choice: Choice) => Promise<void>;
  /** Told how it went: null when the devices could be opened. */
  onOpened: (fault: Fault | null) => void;
}

/** The choice of camera and microphone. */
export class DeviceChoice {
  readonly state = new Store<DeviceState>({
    cameras: [],
    microphones: [],
    named: false,
    choice: { camera: null, microphone: null },
    showsSelf: false,
    muted: false,
  });

  constructor(private readonly options: DeviceChoiceOptions) {
    options.camera.onChange(() => void this.update());
  }

  get choice(): Choice {
    return this.state.get().choice;
  }

  /** Ask the browser again which devices there are and what they are called. */
  async update(): Promise<void> {
    this.state.patch(await this.options.camera.devices());
  }

  /** Use other devices from now on; null lets the browser choose. */
  async choose(change: Partial<Choice>): Promise<void> {
    this.state.patch({ choice: { ...this.choice, ...change } });
    await this.open();
  }

  /** Open what is chosen. */
  async open(): Promise<void> {
    let error: CameraError | null = null;
    try {
      await this.options.open(this.choice);
    } catch (thrown) {
      error = thrown instanceof CameraError ? thrown : new CameraError("failed");
    }
    await this.update(); // only now is it known which other devices there are
    this.options.onOpened(error && { error, ways: this.ways(() => void this.open()) });
  }

  async showSelf(shows: boolean): Promise<void> {
    this.state.patch({ showsSelf: shows });
    if (shows && this.options.camera.stream === null) await this.open();
  }

  mute(muted: boolean): void {
    this.options.camera.mute(muted);
    this.state.patch({ muted });
  }

  /** Choose what was chosen on this page before it was loaded anew. */
  restore(choice: Choice, muted: boolean): void {
    this.state.patch({ choice });
    this.mute(muted);
  }

  /**
   * What can be done about devices that could not be had.
   *
   * @param again Does again what failed, with the choice as it is then.
   */
  ways(again: () => void): Ways {
    const { cameras, choice } = this.state.get();
    const other = cameras.find(({ deviceId }) => deviceId !== choice.camera);
    const isOther = other !== undefined && (choice.camera !== null || cameras.length > 1);
    const change = (wanted: Partial<Choice>) => {
      this.state.patch({ choice: { ...this.choice, ...wanted } });
      again();
    };
    return {
      retry: again,
      otherCamera: isOther ? () => change({ camera: other.deviceId }) : null,
      silently: () => change({ microphone: "none" }),
    };
  }
}

/** Whether there is a picture without the sound that was wanted. */
export function isSilent({ choice }: DeviceState, stream: MediaStream | null): boolean {
  return stream !== null && choice.microphone !== "none" && stream.getAudioTracks().length === 0;
}
