import type { Language } from "../i18n/language";
import { icon } from "../ui/icons";
import { View } from "../ui/view";
import type { Camera, Choice, Devices } from "../webrtc/camera";
import { CameraError } from "../webrtc/camera";
import type { Ways } from "./stage-fault";

const NO_DEVICES: Devices = { cameras: [], microphones: [], named: false };

export interface DevicePickerOptions {
  camera: Camera;
  language: Language;
  /** Called when another device was chosen; opens it. */
  open: (choice: Choice) => Promise<void>;
  /** Told how it went: null when the devices could be opened. */
  onOpened: (error: CameraError | null, ways: Ways) => void;
}

/** The choice of camera and microphone, and the small view of one's own camera. */
export class DevicePicker {
  readonly element: HTMLElement;
  /** The untreated camera, for this screen alone; off unless asked for. */
  readonly selfView: HTMLElement;
  choice: Choice = { camera: null, microphone: null };
  private devices = NO_DEVICES;
  private showsSelf = false;
  private readonly view = new View();
  private readonly cameras = this.view.el("select", { name: "camera", on: { change: () => this.chosen() } });
  private readonly microphones = this.view.el("select", {
    name: "microphone",
    on: { change: () => this.chosen() },
  });
  private readonly mirror = this.view.el("video", { autoplay: true, playsinline: true });

  constructor(private readonly options: DevicePickerOptions) {
    this.mirror.muted = true;
    this.element = this.fields();
    this.selfView = this.view.el(
      "div",
      { class: "self-view", hidden: () => !this.showsSelf || options.camera.stream === null },
      this.mirror,
      this.view.el("span", { class: "badge" }, icon("eye"), () => this.messages.setup.selfViewBadge),
    );
    options.camera.onChange(() => void this.update());
  }

  /** Ask the browser again which devices there are and what they are called. */
  async update(): Promise<void> {
    this.devices = await this.options.camera.devices();
    this.refresh();
  }

  /** Use another camera from now on; null lets the browser choose. */
  async use(camera: string | null): Promise<void> {
    this.choice = { ...this.choice, camera };
    await this.open();
  }

  /**
   * What can be done about devices that could not be had.
   *
   * @param again Does again what failed, with the choice as it is then.
   */
  ways(again: () => void): Ways {
    const other = this.devices.cameras.find(({ deviceId }) => deviceId !== this.choice.camera);
    const isOther = other !== undefined && (this.choice.camera !== null || this.devices.cameras.length > 1);
    const choose = (change: Partial<Choice>) => {
      this.choice = { ...this.choice, ...change };
      again();
    };
    return {
      retry: again,
      otherCamera: isOther ? () => choose({ camera: other.deviceId }) : null,
      silently: () => choose({ microphone: "none" }),
    };
  }

  /** Whether there is a picture without the sound that was wanted. */
  get isSilent(): boolean {
    const { stream } = this.options.camera;
    return stream !== null && this.choice.microphone !== "none" && stream.getAudioTracks().length === 0;
  }

  refresh(): void {
    const { setup } = this.messages;
    const option = (value: string, text: string) => this.view.el("option", { value }, text);
    const named = (device: MediaDeviceInfo, fallback: string) =>
      option(device.deviceId, device.label || fallback);
    const { stream } = this.options.camera;
    this.fill(
      this.cameras,
      this.devices.cameras.map((device, index) => named(device, setup.unnamedCamera(index + 1))),
      this.choice.camera ?? deviceOf(stream?.getVideoTracks()[0]),
    );
    this.fill(
      this.microphones,
      [
        ...this.devices.microphones.map((device, index) => named(device, setup.unnamedMicrophone(index + 1))),
        option("none", setup.noMicrophone),
      ],
      this.choice.microphone ?? (stream === null ? null : (deviceOf(stream.getAudioTracks()[0]) ?? "none")),
    );
    if (this.mirror.srcObject !== stream) this.mirror.srcObject = stream;
    this.view.refresh();
  }

  private get messages() {
    return this.options.language.messages;
  }

  private fields(): HTMLElement {
    const { view } = this;
    const setup = () => this.messages.setup;
    const field = (label: () => string, control: HTMLElement) =>
      view.el(
        "label",
        { class: "field", hidden: () => !this.devices.named },
        view.el("span", {}, label),
        control,
      );
    return view.el(
      "fieldset",
      { class: "panel" },
      view.el("legend", {}, () => setup().devices),
      view.el(
        "div",
        { class: "allow", hidden: () => this.devices.named },
        view.el(
          "button",
          { type: "button", class: "button", name: "allow", on: { click: () => void this.open() } },
          icon("camera"),
          () => setup().allow,
        ),
        view.el("small", {}, () => setup().allowMore),
      ),
      field(() => setup().camera, this.cameras),
      field(() => setup().microphone, this.microphones),
      view.el(
        "label",
        { class: "check" },
        view.el("input", {
          type: "checkbox",
          name: "self-view",
          on: { change: ({ target }) => void this.toggleSelf((target as HTMLInputElement).checked) },
        }),
        view.el(
          "span",
          {},
          () => setup().selfView,
          view.el("small", {}, () => setup().selfViewMore),
        ),
      ),
    );
  }

  private chosen(): void {
    this.choice = { camera: this.cameras.value || null, microphone: this.microphones.value || null };
    void this.open();
  }

  private async toggleSelf(shows: boolean): Promise<void> {
    this.showsSelf = shows;
    if (shows && this.options.camera.stream === null) await this.open();
    this.refresh();
  }

  private async open(): Promise<void> {
    let fault: CameraError | null = null;
    try {
      await this.options.open(this.choice);
    } catch (error) {
      fault = error instanceof CameraError ? error : new CameraError("failed");
    }
    await this.update(); // only now is it known which other devices there are
    this.options.onOpened(
      fault,
      this.ways(() => void this.open()),
    );
  }

  /** Fill a list, touching it only where it changed: a list that is open must not close under the finger. */
  private fill(list: HTMLSelectElement, options: HTMLOptionElement[], selected: string | null): void {
    const written = (all: Iterable<HTMLOptionElement>) =>
      [...all].map(({ value, text }) => `${value}=${text}`).join("\n");
    if (written(list.options) !== written(options)) list.replaceChildren(...options);
    if (selected !== null && list.value !== selected) list.value = selected;
  }
}

function deviceOf(track: MediaStreamTrack | undefined): string | null {
  return track?.getSettings().deviceId ?? null;
}
