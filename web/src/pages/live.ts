import type { Api, Broadcast, CreatedBroadcast } from "../api/client";
import { follow } from "../api/follow";
import { below } from "../api/place";
import { Problem } from "../api/problem";
import type { Language } from "../i18n/language";
import { alteredBadge, frame } from "../ui/frame";
import { icon } from "../ui/icons";
import { sayRetry } from "../ui/retry";
import { View } from "../ui/view";
import { Broadcaster, type BroadcasterState } from "../webrtc/broadcaster";
import { Camera, type CameraError } from "../webrtc/camera";
import { estimateDelay, PathMeter, type PathStats } from "../webrtc/stats";
import { Viewer } from "../webrtc/viewer";
import { DevicePicker } from "./device-picker";
import { FacePicker } from "./face-picker";
import type { OperatorCode } from "./operator-code";
import { StageFault } from "./stage-fault";
import { StopQuestion } from "./stop-question";

const FIGURES_MS = 1_000;
const NOTE_MS = 2_500;

interface Stats {
  down: PathStats;
  delayMs: number | null;
}

/** `/live`: choose a face, go live, and see what viewers see. */
export class LivePage {
  private state: BroadcasterState = { kind: "idle" };
  private stats: Stats | null = null;
  private showsDetails = false;
  private seen: Broadcast | null = null;
  private preview: Viewer | null = null;
  private following = new AbortController();
  private playing = false;
  private note = "";
  private changeProblem: Problem | null = null;
  private needsCode: boolean;
  private title = "";
  private upMeter = new PathMeter();
  private downMeter = new PathMeter();
  private wakeLock: WakeLockSentinel | null = null;
  private readonly view = new View();
  private readonly camera = new Camera();
  private readonly broadcaster: Broadcaster;
  private readonly faces: FacePicker;
  private readonly devices: DevicePicker;
  private readonly fault: StageFault;
  private readonly stopQuestion: StopQuestion;
  private readonly video: HTMLVideoElement;

  constructor(
    private readonly api: Api,
    private readonly language: Language,
    private readonly code: OperatorCode,
  ) {
    this.needsCode = code.value !== null;
    this.video = this.view.el("video", {
      autoplay: true,
      playsinline: true,
      "aria-label": () => this.language.messages.stage.preview,
      on: { playing: () => this.update(() => (this.playing = true)) },
    });
    this.video.muted = true;
    this.broadcaster = new Broadcaster({ api, camera: this.camera, onState: (state) => this.enter(state) });
    this.faces = new FacePicker({
      api,
      language,
      onChange: () => this.faceChosen(),
      onProblem: (problem) => this.update(() => this.askForCode(problem)),
    });
    this.devices = new DevicePicker({
      camera: this.camera,
      language,
      open: (choice) => this.broadcaster.choose(choice),
      onOpened: (error, ways) =>
        this.update(() => (error === null ? this.fault.clear() : this.fault.show(error, ways))),
    });
    this.fault = new StageFault(language);
    this.stopQuestion = new StopQuestion({
      language,
      watching: () => this.seen?.viewers ?? null,
      end: () => void this.broadcaster.stop(),
    });
    this.camera.onChange(() => void this.cameraMayBeBack());
    language.onChange(() => {
      this.faces.translate();
      this.update(() => undefined);
    });
  }

  mount(body: HTMLElement): void {
    body.append(...frame(this.view, this.language, this.main()));
    this.update(() => undefined);
    void this.faces.load();
    void this.devices.update();
    setInterval(() => void this.measure(), FIGURES_MS);
    window.addEventListener("pagehide", () => this.broadcaster.abandon());
    // A page brought back from the browser's cache has lost its connection.
    window.addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
    window.addEventListener("beforeunload", (event) => this.isOnAir && event.preventDefault());
    // The browser takes the lock back whenever the page is hidden.
    document.addEventListener("visibilitychange", () => void this.keepAwake());
  }

  private get isOnAir(): boolean {
    return ["live", "camera-lost", "reconnecting"].includes(this.state.kind);
  }

  private get isBusy(): boolean {
    return ["opening-camera", "connecting", "stopping"].includes(this.state.kind);
  }

  private get isWaiting(): boolean {
    return this.isBusy || (this.isOnAir && this.state.kind !== "camera-lost");
  }

  private update(change: () => void): void {
    change();
    const { messages } = this.language;
    document.title = `${this.isOnAir ? messages.stage.onAir : messages.goLive} · mien`;
    this.view.refresh();
    this.faces.refresh();
    this.devices.refresh();
    this.fault.refresh();
    this.stopQuestion.refresh();
  }

  // What happens ----------------------------------------------------------------------------------------------

  private enter(state: BroadcasterState): void {
    this.update(() => (this.state = state));
    if (!this.isOnAir) this.stopQuestion.close();
    switch (state.kind) {
      case "live":
        this.fault.clear();
        // On a phone the button is far below the picture that it has just brought to life.
        if (this.preview === null) window.scrollTo({ top: 0 });
        this.startPreview(state.broadcast);
        void this.devices.update();
        break;
      case "failed":
        if (state.error instanceof Problem) this.askForCode(state.error);
        else void this.explain(state.error);
        this.stopPreview();
        break;
      case "ended":
      case "stopping":
        this.stopPreview();
        break;
      case "opening-camera":
        this.fault.clear();
        this.changeProblem = null;
        break;
      case "reconnecting":
        this.stats = null; // they were those of the lost connection
        break;
      case "camera-lost":
        this.stats = null;
        void this.devices.update();
        break;
      case "idle":
      case "connecting":
        break;
    }
    this.update(() => undefined);
    void this.keepAwake();
  }

  private startPreview({ id, token, whep_url }: CreatedBroadcast): void {
    if (this.preview !== null) return;
    this.upMeter = new PathMeter();
    const preview = new Viewer({
      whepUrl: whep_url,
      token,
      sound: false, // one's own voice a moment later is hard to speak over
      onState: () => undefined, // the broadcaster knows more
      onStream: (stream) => {
        this.downMeter = new PathMeter();
        this.update(() => (this.playing = false));
        this.video.srcObject = stream;
      },
    });
    this.preview = preview;
    void preview.run();
    this.following = new AbortController();
    void follow(id, { api: this.api, hear: (news) => this.hear(news), signal: this.following.signal });
  }

  private hear(news: Broadcast | null): void {
    this.update(() => (this.seen = news ?? this.seen));
    this.preview?.heard(news);
    this.broadcaster.heard(news);
  }

  private stopPreview(): void {
    this.following.abort();
    void this.preview?.close();
    this.preview = null;
    this.seen = null;
    this.stats = null;
    this.playing = false;
    this.video.srcObject = null;
  }

  private goOrStop(): void {
    if (this.isOnAir) this.stopQuestion.ask();
    else if (this.isBusy) void this.broadcaster.stop();
    else this.goLive();
  }

  private goLive(): void {
    const { policy } = this.faces;
    if (policy !== null) void this.broadcaster.goLive(policy, this.title.trim(), this.devices.choice);
  }

  /** Say on the stage why going live found no camera. */
  private async explain(error: CameraError): Promise<void> {
    await this.devices.update(); // only now is it known which other devices there are
    if (this.state.kind !== "failed") return;
    this.update(() =>
      this.fault.show(
        error,
        this.devices.ways(() => this.goLive()),
      ),
    );
  }

  private faceChosen(): void {
    if (this.isOnAir) void this.changeOnAir();
    this.update(() => undefined);
  }

  private async changeOnAir(): Promise<void> {
    const { policy } = this.faces;
    if (policy === null) return;
    this.update(() => (this.note = this.language.messages.face.changing));
    try {
      await this.broadcaster.change(policy);
      this.update(() => {
        this.note = this.language.messages.face.changed;
        this.changeProblem = null;
      });
    } catch (error) {
      this.update(() => {
        this.note = "";
        this.changeProblem = Problem.from(error);
      });
    }
    const shown = this.note;
    setTimeout(() => this.update(() => (this.note = this.note === shown ? "" : this.note)), NOTE_MS);
  }

  private async record(): Promise<void> {
    try {
      await this.broadcaster.record(!this.isRecorded);
      this.update(() => (this.changeProblem = null));
    } catch (error) {
      this.update(() => (this.changeProblem = Problem.from(error)));
    }
  }

  private get isRecorded(): boolean {
    return this.seen?.record ?? false;
  }

  private askForCode(problem: Problem): void {
    if (problem.code === "live.token") this.needsCode = true;
  }

  private async measure(): Promise<void> {
    const [up, down] = await Promise.all([this.broadcaster.stats(), this.preview?.stats() ?? null]);
    const { seen } = this;
    this.update(() => {
      if (up === null || down === null || seen === null || this.state.kind !== "live") return;
      const downStats = this.downMeter.read(down);
      const delayMs = estimateDelay(this.upMeter.read(up), seen.server_delay_ms, downStats);
      this.stats = { down: downStats, delayMs };
    });
  }

  /** A camera that is plugged in again goes on by itself. Another one shows another place: the person decides. */
  private async cameraMayBeBack(): Promise<void> {
    if (this.state.kind !== "camera-lost") return;
    const { cameras } = await this.camera.devices();
    const last = cameras.find(({ deviceId }) => deviceId === this.camera.lastId);
    if (last !== undefined && this.state.kind === "camera-lost") await this.devices.use(last.deviceId);
  }

  /** Keep a phone's screen on while on air: a sleeping phone stops its camera. */
  private async keepAwake(): Promise<void> {
    if (this.isOnAir && !document.hidden && (this.wakeLock?.released ?? true)) {
      this.wakeLock = (await navigator.wakeLock?.request("screen").catch(() => null)) ?? null;
    } else if (!this.isOnAir) {
      await this.wakeLock?.release();
      this.wakeLock = null;
    }
  }

  // What is seen ----------------------------------------------------------------------------------------------

  private main(): HTMLElement {
    const { view } = this;
    return view.el(
      "main",
      { class: "live", "data-state": () => this.state.kind },
      view.el(
        "div",
        { class: "live-stage" },
        this.stage(),
        this.stageBar(),
        this.loadNote(),
        this.profileLine(),
        this.statsBar(),
        this.share(),
      ),
      // Enter in a field submits a form. To go on air or off it is a button's matter alone, so this submits nothing.
      view.el(
        "form",
        { class: "live-setup", on: { submit: (event) => event.preventDefault() } },
        view.el("h1", {}, () => this.language.messages.setup[this.isOnAir ? "headingLive" : "heading"]),
        this.faces.element,
        this.devices.element,
        this.titleField(),
        this.codeField(),
        this.action(),
      ),
      this.stopQuestion.element,
    );
  }

  private stage(): HTMLElement {
    const { view } = this;
    const messages = () => this.language.messages;
    return view.el(
      "div",
      { class: "stage", "data-fault": () => this.fault.isShown },
      this.video,
      view.el(
        "div",
        { class: "stage-notice", role: "status", hidden: () => this.notice() === null },
        view.el("span", { class: "spinner", hidden: () => !this.isWaiting }),
        view.el("span", { class: "wrap stage-art", hidden: () => this.isOnAir || this.isBusy }, icon("mask")),
        view.el("strong", {}, () => this.notice()?.what),
        view.el("span", {}, () => this.notice()?.more),
        view.el(
          "button",
          {
            type: "button",
            class: "button",
            hidden: () => this.state.kind !== "camera-lost",
            on: { click: () => void this.devices.use(null) },
          },
          () => messages().camera.otherCamera,
        ),
      ),
      view.el(
        "p",
        { class: "stage-caption", hidden: () => this.notice() !== null },
        () => messages().stage.preview,
      ),
      this.devices.selfView,
      this.fault.element,
    );
  }

  /** What is said of the picture, beside it: the picture itself is full of what viewers see. */
  private stageBar(): HTMLElement {
    const { view } = this;
    const messages = () => this.language.messages;
    return view.el(
      "div",
      { class: "stage-bar", hidden: () => !this.isOnAir },
      view.el(
        "span",
        {
          class: () => `badge ${this.isPaused ? "badge-paused" : "badge-live"}`,
          hidden: () => this.state.kind !== "live",
        },
        () => (this.isPaused ? messages().stage.pausedBadge : messages().stage.onAir),
      ),
      view.el("span", { class: "badge" }, () => this.onAirFor()),
      view.el(
        "span",
        { class: "wrap", hidden: () => this.notice() !== null },
        alteredBadge(view, this.language),
      ),
    );
  }

  /** Whether viewers see the slate although this side is connected. */
  private get isPaused(): boolean {
    return this.state.kind === "live" && this.seen?.state === "paused";
  }

  /** What the server has given up to keep up, or that it cannot. */
  private loadNote(): HTMLElement {
    const { view } = this;
    const load = () => (this.state.kind === "live" ? (this.seen?.load ?? "ok") : "ok");
    const messages = () => {
      const now = load();
      return now === "ok" ? null : this.language.messages.load[now];
    };
    return view.el(
      "div",
      { class: "load-note panel", role: "status", "data-load": load, hidden: () => load() === "ok" },
      view.el("strong", {}, () => messages()?.what),
      view.el("span", {}, () => messages()?.more),
    );
  }

  /** How much the server does for each frame, and what would let it do more. */
  private profileLine(): HTMLElement {
    const { view } = this;
    const profile = () => (this.state.kind === "live" ? (this.seen?.profile ?? null) : null);
    const sentence = () => {
      const [now, messages] = [profile(), this.language.messages.profile];
      if (now === null) return null;
      const helps = now.helps.map((help) => messages.helps[help]);
      return [messages.names[now.name], ...(helps.length ? [messages.help(helps.join(", "))] : [])].join(" ");
    };
    return view.el(
      "p",
      {
        class: "profile-line",
        "data-profile": () => profile()?.name ?? "",
        hidden: () => profile() === null,
      },
      sentence,
    );
  }

  private notice(): { what: string; more: string } | null {
    const { stage } = this.language.messages;
    switch (this.state.kind) {
      case "idle":
      case "failed":
        return { what: stage.idle, more: stage.idleMore };
      case "opening-camera":
        return { what: stage.camera, more: stage.cameraMore };
      case "connecting":
        return { what: stage.connecting, more: stage.connectingMore };
      case "reconnecting":
        return {
          what: stage.reconnecting,
          more: `${sayRetry(this.state, this.language.messages)} ${stage.reconnectingMore}`,
        };
      case "camera-lost":
        return { what: stage.cameraLost, more: stage.cameraLostMore };
      case "stopping":
        return { what: stage.stopping, more: "" };
      case "ended":
        return this.state.by === "server"
          ? { what: stage.endedByServer, more: stage.endedByServerMore }
          : { what: stage.ended, more: stage.endedMore };
      case "live":
        return this.playing ? null : { what: stage.connecting, more: stage.connectingMore };
    }
  }

  private onAirFor(): string {
    if (!("sinceMs" in this.state)) return "";
    const seconds = Math.floor((Date.now() - this.state.sinceMs) / 1000);
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }

  /** What the server and the browser measure: four numbers, and all of them on a tap. */
  private statsBar(): HTMLElement {
    const { view } = this;
    const messages = () => this.language.messages.stats;
    const figure = (
      name: string,
      label: () => string,
      value: () => string | null,
      hint: () => string | null = () => null,
    ) =>
      view.el(
        "div",
        { class: "figure", title: hint, "data-stat": name, hidden: () => value() === null },
        view.el("dt", {}, label),
        view.el("dd", {}, value),
      );
    const numbers = () => (this.state.kind === "reconnecting" ? null : this.seen);
    const count = (value: number | undefined) => (value === undefined ? "–" : String(value));
    const rate = (value: number | undefined) =>
      value === undefined ? "–" : messages().perSecond(Math.round(value));
    const ms = (value: number | null | undefined) => (value == null ? "–" : messages().ms(Math.round(value)));
    const delay = () => ms(this.stats?.delayMs);
    const down = () => this.stats?.down;
    const toggle = () => this.update(() => (this.showsDetails = !this.showsDetails));
    const detailsLabel = () => (this.showsDetails ? messages().less : messages().more);
    return view.el(
      "section",
      { class: "stats", "aria-label": () => messages().heading, hidden: () => !this.isOnAir },
      view.el(
        "dl",
        { class: "stats-strip", on: { click: toggle } }, // the button beside it says so to everybody
        // The preview is a viewer to the server, but not to the person.
        figure(
          "viewers",
          () => messages().viewers,
          () => count(numbers()?.viewers),
        ),
        figure(
          "fps",
          () => messages().fps,
          () => rate(numbers()?.fps_out),
        ),
        figure(
          "delay",
          () => messages().delay,
          delay,
          () => messages().delayMore,
        ),
        figure(
          "faces",
          () => messages().faces,
          () => this.countFaces(numbers()),
        ),
      ),
      view.el(
        "button",
        {
          type: "button",
          class: "stats-more",
          name: "details",
          "aria-expanded": () => String(this.showsDetails),
          "aria-label": detailsLabel,
          title: detailsLabel,
          on: { click: toggle },
        },
        icon("more"),
      ),
      view.el(
        "dl",
        { class: "stats-details", hidden: () => !this.showsDetails },
        figure(
          "fps-in",
          () => messages().fpsIn,
          () => rate(numbers()?.fps_in),
        ),
        figure(
          "dropped",
          () => messages().dropped,
          () => count(numbers()?.dropped),
        ),
        figure(
          "size",
          () => messages().size,
          () => numbers()?.size?.join(" × ") ?? "–",
        ),
        figure(
          "vision",
          () => messages().vision,
          () => ms(numbers()?.vision_ms),
        ),
        figure(
          "server",
          () => messages().server,
          () => ms(numbers()?.server_delay_ms),
        ),
        figure(
          "round-trip",
          () => messages().roundTrip,
          () => ms(down()?.roundTripMs),
        ),
        figure(
          "lost",
          () => messages().lost,
          () => count(down()?.lostPackets),
        ),
        figure(
          "layers",
          () => messages().layers,
          () => this.countReduced(numbers()),
        ),
        figure(
          "codec",
          () => messages().codec,
          () => numbers()?.codec ?? null,
        ),
        figure(
          "recording",
          () => messages().recording,
          () => this.sayRecording(numbers()),
        ),
      ),
    );
  }

  private countFaces(numbers: Broadcast | null): string {
    const { stats } = this.language.messages;
    if (numbers === null) return "–";
    const { faces } = numbers;
    const counted = (["swap", "mosaic", "show"] as const).filter((name) => (faces[name] ?? 0) > 0);
    return counted.map((name) => stats[name](faces[name] ?? 0)).join(", ") || stats.none;
  }

  /** How many viewers get a smaller picture; null where all get the full one. */
  private countReduced(numbers: Broadcast | null): string | null {
    const { "0": _full, ...reduced } = numbers?.layers ?? {};
    const count = Object.values(reduced).reduce((sum, viewers) => sum + viewers, 0);
    return count > 0 ? String(count) : null;
  }

  private sayRecording(numbers: Broadcast | null): string | null {
    const { stats } = this.language.messages;
    if (numbers === null || !numbers.record) return null;
    return numbers.recording?.ended == null ? stats.recordingOn : stats.recordingEnded;
  }

  private share(): HTMLElement {
    const { view } = this;
    const messages = () => this.language.messages.share;
    const link = () =>
      this.isOnAir && "broadcast" in this.state
        ? new URL(below(this.state.broadcast.watch_url), location.href).href
        : "";
    let copied = false;
    const copy = async () => {
      await navigator.clipboard.writeText(link());
      this.update(() => (copied = true));
      setTimeout(() => this.update(() => (copied = false)), NOTE_MS);
    };
    const field = view.el("input", {
      type: "text",
      name: "link",
      readonly: true,
      value: link,
      "aria-label": () => messages().heading,
      on: { focus: () => field.select() },
    });
    return view.el(
      "div",
      { class: "share panel", hidden: () => !this.isOnAir },
      view.el("strong", {}, () => messages().heading),
      view.el(
        "div",
        { class: "share-row" },
        field,
        view.el(
          "button",
          {
            type: "button",
            class: "button",
            name: "copy",
            hidden: !window.isSecureContext,
            on: { click: () => void copy() },
          },
          icon("copy"),
          () => (copied ? messages().copied : messages().copy),
        ),
        view.el(
          "button",
          {
            type: "button",
            class: "button",
            hidden: !("share" in navigator),
            on: { click: () => void navigator.share({ url: link() }).catch(() => undefined) },
          },
          icon("share"),
          () => messages().send,
        ),
      ),
      view.el(
        "div",
        { class: "share-row" },
        view.el("span", { class: "grow" }, () =>
          this.isRecorded ? messages().recorded : messages().recordMore,
        ),
        view.el(
          "button",
          {
            type: "button",
            class: "button",
            name: "record",
            "aria-pressed": () => String(this.isRecorded),
            disabled: () => this.seen === null,
            on: { click: () => void this.record() },
          },
          () => (this.isRecorded ? messages().recordStop : messages().record),
        ),
      ),
    );
  }

  private titleField(): HTMLElement {
    const { view } = this;
    const setup = () => this.language.messages.setup;
    return view.el(
      "div",
      { class: "panel", hidden: () => this.isOnAir },
      view.el(
        "label",
        { class: "field" },
        view.el(
          "span",
          {},
          () => setup().title,
          view.el("small", {}, () => ` ${setup().optional}`),
        ),
        view.el("input", {
          type: "text",
          name: "title",
          maxlength: 120,
          autocomplete: "off",
          placeholder: () => setup().titleHint,
          on: {
            input: ({ target }) => {
              this.title = (target as HTMLInputElement).value;
            },
          },
        }),
      ),
    );
  }

  private codeField(): HTMLElement {
    const { view } = this;
    const setup = () => this.language.messages.setup;
    return view.el(
      "div",
      { class: "panel", hidden: () => !this.needsCode || this.isOnAir },
      view.el(
        "label",
        { class: "field" },
        view.el("span", {}, () => setup().code),
        view.el("input", {
          type: "password",
          name: "code",
          autocomplete: "off",
          value: this.code.value,
          on: {
            input: ({ target }) => {
              this.code.value = (target as HTMLInputElement).value;
            },
          },
        }),
        view.el("small", {}, () => setup().codeHint),
      ),
    );
  }

  private action(): HTMLElement {
    const { view } = this;
    const messages = () => this.language.messages;
    const stops = () => this.isOnAir || this.isBusy;
    return view.el(
      "div",
      { class: "action" },
      view.el("p", { class: "problem", role: "alert", hidden: () => this.problem() === "" }, () =>
        this.problem(),
      ),
      view.el("p", { class: "quiet", role: "status", hidden: () => this.hint() === "" }, () => this.hint()),
      view.el(
        "button",
        {
          type: "button",
          name: "go",
          // The second click of a double one, or a key held down, would meet what the first has turned this into.
          on: {
            click: (event) => event.detail < 2 && this.goOrStop(),
            keydown: (event) => event.repeat && event.preventDefault(),
          },
          class: () => `button large ${stops() ? "stop" : "primary"}`,
          disabled: () => this.state.kind === "stopping" || (!stops() && this.faces.missing !== null),
        },
        () => (this.isOnAir ? messages().stop : this.isBusy ? messages().cancel : messages().goLive),
      ),
    );
  }

  private problem(): string {
    if (this.state.kind === "failed" && this.state.error instanceof Problem) {
      return this.state.error.say(this.language.messages);
    }
    return this.changeProblem?.say(this.language.messages) ?? "";
  }

  private hint(): string {
    const { camera } = this.language.messages;
    return (
      this.note || (this.isBusy ? "" : (this.faces.missing ?? (this.devices.isSilent ? camera.silent : "")))
    );
  }
}
