import type { Api } from "../api/client";
import { follow } from "../api/follow";
import { below } from "../api/place";
import type { Language } from "../i18n/language";
import { alteredBadge, frame } from "../ui/frame";
import { icon } from "../ui/icons";
import { sayRetry } from "../ui/retry";
import { View } from "../ui/view";
import { PathMeter, type PathStats } from "../webrtc/stats";
import { Viewer, type ViewerState } from "../webrtc/viewer";

const FIGURES_MS = 1_000;

/** `/watch/{id}`: one broadcast, full of itself. */
export class WatchPage {
  private state: ViewerState = { kind: "connecting" };
  private stats: PathStats | null = null;
  private title = "";
  private playing = false;
  private blocked = false;
  private showsStats = false;
  private meter = new PathMeter();
  private readonly view = new View();
  private readonly video: HTMLVideoElement;
  private readonly stage = this.view.el("div", { class: "stage watch-stage" });
  private wasLive = false;
  private readonly viewer: Viewer;

  constructor(
    private readonly api: Pick<Api, "broadcast">,
    private readonly language: Language,
    private readonly broadcastId: string,
  ) {
    this.video = this.view.el("video", {
      autoplay: true,
      playsinline: true,
      "aria-label": () => this.language.messages.viewer.title,
      on: {
        playing: () => this.update(() => (this.playing = true)),
        volumechange: () => this.update(() => undefined),
      },
    });
    this.video.muted = true; // browsers play by themselves only what is silent
    this.viewer = new Viewer({
      whepUrl: `/whep/${encodeURIComponent(broadcastId)}`,
      sound: true,
      onState: (state) => this.update(() => this.enter(state)),
      onStream: (stream) => this.show(stream),
    });
    language.onChange(() => this.update(() => undefined));
  }

  mount(body: HTMLElement): void {
    body.classList.add("watching");
    body.append(...frame(this.view, this.language, this.main()));
    this.update(() => undefined);
    const leaving = new AbortController();
    void this.viewer.run();
    void follow(this.broadcastId, {
      api: this.api,
      hear: (broadcast) => this.viewer.heard(broadcast),
      signal: leaving.signal,
    });
    setInterval(() => void this.measure(), FIGURES_MS);
    window.addEventListener("pagehide", () => {
      leaving.abort();
      void this.viewer.close();
    });
    // A page brought back from the browser's cache has lost its connection.
    window.addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
    document.addEventListener("fullscreenchange", () => this.update(() => undefined));
  }

  private update(change: () => void): void {
    change();
    document.title = `${this.title || this.language.messages.viewer.title} · mien`;
    this.view.refresh();
  }

  private enter(state: ViewerState): void {
    this.state = state;
    if ("broadcast" in state) this.title = state.broadcast.title;
    if (state.kind === "live") this.wasLive = true;
  }

  private show(stream: MediaStream): void {
    this.meter = new PathMeter();
    this.update(() => (this.playing = false));
    this.video.srcObject = stream;
    this.video.play().then(
      () => this.update(() => (this.blocked = false)),
      (error: unknown) => {
        // A new connection interrupts the old one's play(), which then says AbortError.
        if (error instanceof DOMException && error.name === "NotAllowedError")
          this.update(() => (this.blocked = true));
      },
    );
  }

  private async measure(): Promise<void> {
    const report = await this.viewer.stats();
    this.update(() => (this.stats = report && this.meter.read(report)));
  }

  private main(): HTMLElement {
    const { view } = this;
    const messages = () => this.language.messages;
    const control = (
      name: "info" | "fullscreen",
      pressed: () => boolean,
      label: () => string,
      click: () => void,
    ) =>
      view.el(
        "button",
        {
          type: "button",
          class: "control",
          "aria-pressed": () => String(pressed()),
          "aria-label": label,
          title: label,
          on: { click },
        },
        icon(name),
      );
    const soundOn = icon("sound");
    const soundOff = icon("muted");
    view.bind(
      () => this.video.muted,
      (muted) => {
        soundOn.toggleAttribute("hidden", muted);
        soundOff.toggleAttribute("hidden", !muted);
      },
    );
    const muteLabel = () => (this.video.muted ? messages().viewer.unmute : messages().viewer.mute);

    this.stage.append(
      this.video,
      view.el(
        "div",
        { class: "stage-notice", role: "status", hidden: () => this.notice() === null },
        view.el("span", { class: "spinner", hidden: () => !this.isBusy }),
        view.el("strong", {}, () => this.notice()?.what),
        view.el("span", {}, () => this.notice()?.more),
        view.el(
          "a",
          { class: "button", href: below("/"), hidden: () => this.state.kind !== "ended" },
          () => messages().viewer.others,
        ),
        view.el(
          "button",
          {
            type: "button",
            class: "button",
            hidden: () => this.state.kind !== "failed",
            on: { click: () => location.reload() },
          },
          () => messages().retry,
        ),
      ),
      view.el(
        "button",
        {
          type: "button",
          class: "button sound-prompt",
          hidden: () => !(this.blocked || (this.isLive && this.video.muted && !this.wasUnmuted)),
          on: { click: () => this.unmute() },
        },
        icon("sound"),
        () => (this.blocked ? messages().viewer.play : messages().viewer.sound),
      ),
      view.el(
        "div",
        { class: "stage-bottom", hidden: () => !this.isOpen },
        view.el(
          "button",
          {
            type: "button",
            class: "control",
            "aria-label": muteLabel,
            title: muteLabel,
            on: { click: () => this.toggleSound() },
          },
          soundOn,
          soundOff,
        ),
        view.el("span", { class: "spacer" }),
        control(
          "info",
          () => this.showsStats,
          () => messages().viewer.info,
          () => this.update(() => (this.showsStats = !this.showsStats)),
        ),
        control(
          "fullscreen",
          () => document.fullscreenElement !== null,
          () =>
            document.fullscreenElement ? messages().viewer.leaveFullscreen : messages().viewer.fullscreen,
          () => void this.toggleFullscreen(),
        ),
      ),
      this.statsPanel(),
    );
    return view.el(
      "main",
      { class: "watch" },
      this.stage,
      view.el(
        "div",
        { class: "watch-about" },
        view.el(
          "div",
          { class: "stage-bar", hidden: () => !this.isLive },
          view.el("span", { class: "badge badge-live" }, () => messages().viewer.live),
          alteredBadge(view, this.language),
        ),
        view.el("h1", {}, () => this.title || messages().untitled),
        view.el("p", { class: "quiet", hidden: () => this.audience() === "" }, () => this.audience()),
        view.el("p", { class: "quiet" }, () => messages().alteredMore),
      ),
    );
  }

  private statsPanel(): HTMLElement {
    const { view } = this;
    const messages = () => this.language.messages.stats;
    const row = (label: () => string, value: () => string) => [
      view.el("dt", {}, label),
      view.el("dd", {}, value),
    ];
    const ms = (value: number | null | undefined) => (value == null ? "–" : messages().ms(Math.round(value)));
    return view.el(
      "dl",
      {
        class: "stage-stats",
        "aria-label": () => messages().heading,
        hidden: () => !(this.showsStats && this.isOpen),
      },
      row(
        () => messages().fps,
        () => (this.stats?.fps == null ? "–" : messages().perSecond(Math.round(this.stats.fps))),
      ),
      row(
        () => messages().size,
        () => this.stats?.size ?? "–",
      ),
      row(
        () => messages().roundTrip,
        () => ms(this.stats?.roundTripMs),
      ),
      row(
        () => messages().lost,
        () => String(this.stats?.lostPackets ?? "–"),
      ),
    );
  }

  private wasUnmuted = false;

  private get isLive(): boolean {
    return this.state.kind === "live" && this.playing;
  }

  /** Whether there is, or may soon be, something to see. */
  private get isOpen(): boolean {
    return this.state.kind !== "ended" && this.state.kind !== "failed";
  }

  private get isBusy(): boolean {
    return (
      this.state.kind === "connecting" ||
      this.state.kind === "reconnecting" ||
      (this.state.kind === "live" && !this.playing)
    );
  }

  private audience(): string {
    return "broadcast" in this.state ? this.language.messages.viewers(this.state.broadcast.viewers) : "";
  }

  /** What stands over the picture; null where the picture speaks for itself. */
  private notice(): { what: string; more: string } | null {
    const { viewer } = this.language.messages;
    const { state } = this;
    switch (state.kind) {
      case "connecting":
        return { what: viewer.connecting, more: "" };
      case "waiting":
        if (!this.wasLive) return { what: viewer.waiting, more: viewer.waitingMore };
        return { what: viewer.paused, more: viewer.pausedMore };
      case "paused":
        return {
          what: viewer.paused,
          more: state.broadcast.load === "overloaded" ? viewer.overloadedMore : viewer.pausedMore,
        };
      case "ended":
        return { what: viewer.ended, more: viewer.endedMore };
      case "failed":
        return { what: viewer.failed, more: state.problem.say(this.language.messages) };
      case "reconnecting":
        return { what: viewer.reconnecting, more: sayRetry(state, this.language.messages) };
      case "live":
        return this.playing || this.blocked ? null : { what: viewer.connecting, more: "" };
    }
  }

  private unmute(): void {
    this.wasUnmuted = true;
    this.video.muted = false;
    void this.video.play().then(() => this.update(() => (this.blocked = false)));
  }

  private toggleSound(): void {
    if (this.video.muted) this.unmute();
    else this.video.muted = true;
  }

  private async toggleFullscreen(): Promise<void> {
    if (document.fullscreenElement) await document.exitFullscreen();
    else if (this.stage.requestFullscreen) await this.stage.requestFullscreen();
    // An iPhone can fill its screen with nothing but the video itself.
    else (this.video as HTMLVideoElement & { webkitEnterFullscreen?: () => void }).webkitEnterFullscreen?.();
  }
}
