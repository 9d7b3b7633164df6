import type { Api, Broadcast, CreatedBroadcast } from "../api/client";
import { follow } from "../api/follow";
import type { Policy } from "../api/policy";
import { Problem } from "../api/problem";
import { Store } from "../state/store";
import { Broadcaster, type BroadcasterState } from "../webrtc/broadcaster";
import { Camera, CameraError } from "../webrtc/camera";
import { estimateDelay, PathMeter, type PathStats } from "../webrtc/stats";
import { Viewer } from "../webrtc/viewer";
import { DeviceChoice, type Fault } from "./devices";
import { FaceChoice } from "./faces";
import { KeptBroadcast } from "./kept-broadcast";
import type { OperatorCode } from "./operator-code";
import { People } from "./people";
import { isOnAir } from "./states";
import { WakeLock } from "./wake-lock";

const FIGURES_MS = 1_000;
const NOTE_MS = 2_500;

/** What the connections measure. */
export interface Figures {
  down: PathStats;
  delayMs: number | null;
}

/** How a change on air fares: under way, made a moment ago, or refused. */
export interface Change {
  note: "changing" | "changed" | null;
  problem: Problem | null;
}

export interface LiveParts {
  camera?: Camera;
  kept?: KeptBroadcast;
  /** Makes the broadcaster; the real one unless a test says otherwise. */
  makeBroadcaster?: (options: ConstructorParameters<typeof Broadcaster>[0]) => Broadcaster;
  makePreview?: (
    options: ConstructorParameters<typeof Viewer>[0],
  ) => Pick<Viewer, "run" | "heard" | "stats" | "close">;
}

/**
 * Somebody who goes live: what they choose, their broadcast, and the treated preview of it.
 *
 * Each thing that changes by itself is a store of its own, so that what shows one is not computed anew for the others.
 */
export class LiveController {
  readonly state = new Store<BroadcasterState>({ kind: "idle" });
  /** What the server says of the broadcast; null while there is none. */
  readonly news = new Store<Broadcast | null>(null);
  /** What viewers see. */
  readonly preview = new Store<MediaStream | null>(null);
  readonly figures = new Store<Figures | null>(null);
  readonly fault = new Store<Fault | null>(null);
  readonly change = new Store<Change>({ note: null, problem: null });
  readonly title = new Store("");
  /** What the names of the files of the last recording begin with. */
  readonly recorded = new Store<string | null>(null);
  readonly camera: Camera;
  readonly faces: FaceChoice;
  readonly people: People;
  readonly devices: DeviceChoice;
  private readonly broadcaster: Broadcaster;
  private readonly kept: KeptBroadcast;
  private readonly makePreview: NonNullable<LiveParts["makePreview"]>;
  private readonly wakeLock = new WakeLock();
  private viewer: ReturnType<typeof this.makePreview> | null = null;
  private following: AbortController | null = null;
  private upMeter = new PathMeter();
  private downMeter = new PathMeter();

  constructor(
    readonly api: Api,
    readonly code: OperatorCode,
    parts: LiveParts = {},
  ) {
    this.camera = parts.camera ?? new Camera();
    this.kept = parts.kept ?? new KeptBroadcast();
    this.makePreview = parts.makePreview ?? ((options) => new Viewer(options));
    const makeBroadcaster = parts.makeBroadcaster ?? ((options) => new Broadcaster(options));
    this.broadcaster = makeBroadcaster({ api, camera: this.camera, onState: (state) => this.enter(state) });
    const asked = {
      api,
      onChange: () => void this.changeOnAir(),
      onProblem: (problem: Problem) => this.askForCode(problem),
    };
    this.faces = new FaceChoice(asked);
    this.people = new People(asked);
    this.devices = new DeviceChoice({
      camera: this.camera,
      open: (choice) => this.broadcaster.choose(choice),
      onOpened: (fault) => {
        this.fault.set(fault);
        this.keep();
      },
    });
    this.camera.onChange(() => void this.cameraMayBeBack());
  }

  /** Who gets what; null while a mask or a photo is still to be chosen. */
  get policy(): Policy | null {
    const { policy } = this.faces;
    return policy === null ? null : this.people.shownIn(policy);
  }

  /** Do what the page does by itself from now on; go on with the broadcast that it had before it was loaded anew. */
  start(): void {
    void this.devices.update();
    setInterval(() => void this.measure(), FIGURES_MS);
    window.addEventListener("pagehide", () => this.broadcaster.leave());
    // A page brought back from the browser's cache has lost its connection. It is no reload, after which nobody is asked.
    window.addEventListener("pageshow", ({ persisted }) => persisted && location.replace(location.href));
    window.addEventListener("beforeunload", (event) => isOnAir(this.state.get()) && event.preventDefault());
    void this.takeOver(isReload());
  }

  // What the person does --------------------------------------------------------------------------------------

  goLive(): void {
    const { policy } = this;
    if (this.state.get().kind === "interrupted") void this.resume();
    else if (policy !== null)
      void this.broadcaster.goLive(policy, this.title.get().trim(), this.devices.choice);
  }

  stop(): void {
    void this.broadcaster.stop();
  }

  /** Use another camera; null lets the browser choose. */
  switchCamera(camera: string | null): void {
    void this.devices.choose({ camera });
  }

  mute(muted: boolean): void {
    this.devices.mute(muted);
    this.keep();
  }

  async record(on: boolean): Promise<void> {
    try {
      await this.broadcaster.record(on);
      this.change.patch({ problem: null });
    } catch (error) {
      this.change.patch({ problem: Problem.from(error) });
    }
  }

  /** Say which face is the one that wears the mask or photo. */
  async choosePrimary(face: number): Promise<void> {
    const state = this.state.get();
    if (!("broadcast" in state) || state.broadcast === null) return;
    try {
      await this.api.choosePrimary(state.broadcast.id, state.broadcast.token, face);
      this.change.patch({ problem: null });
    } catch (error) {
      this.change.patch({ problem: Problem.from(error) });
    }
  }

  // What happens ----------------------------------------------------------------------------------------------

  /**
   * Take over the broadcast that is kept for this tab, unless another tab has it.
   *
   * @param resumes Whether to publish again at once; else the person is asked.
   */
  async takeOver(resumes: boolean): Promise<void> {
    const kept = this.kept.get();
    if (kept === null) return;
    if (!(await this.kept.claim(kept.broadcast.id)) || (await this.isOver(kept.broadcast))) {
      this.kept.forget();
      return;
    }
    this.title.set(kept.title);
    this.faces.restore(kept.face);
    this.people.restore(kept.people ?? []); // none where an older page kept it
    this.devices.restore(kept.choice, kept.muted);
    this.broadcaster.takeOver(kept.broadcast, kept.sinceMs);
    this.follow(kept.broadcast);
    if (resumes) await this.resume();
  }

  private async isOver({ id }: CreatedBroadcast): Promise<boolean> {
    try {
      await this.api.broadcast(id);
      return false;
    } catch (error) {
      return Problem.from(error).isOver;
    }
  }

  private async resume(): Promise<void> {
    try {
      await this.broadcaster.resume(this.devices.choice);
    } catch (error) {
      await this.explain(error instanceof CameraError ? error : new CameraError("failed"), "interrupted");
    }
  }

  private enter(state: BroadcasterState): void {
    this.state.set(state);
    switch (state.kind) {
      case "live":
        this.fault.set(null);
        this.startPreview(state.broadcast);
        void this.kept.claim(state.broadcast.id);
        this.keep();
        void this.devices.update();
        break;
      case "failed":
        if (state.error instanceof Problem) this.refused(state.error);
        else void this.explain(state.error, "failed");
        this.stopPreview();
        break;
      case "ended":
      case "stopping":
        this.stopPreview();
        break;
      case "opening-camera":
        this.fault.set(null);
        this.change.patch({ problem: null });
        break;
      case "reconnecting":
        this.figures.set(null); // they were those of the lost connection
        break;
      case "camera-lost":
        this.figures.set(null);
        void this.devices.update();
        break;
      case "interrupted":
        if (state.isOpening) this.fault.set(null);
        break;
      case "idle":
      case "connecting":
        break;
    }
    void this.wakeLock.hold(isOnAir(state));
  }

  private startPreview(broadcast: CreatedBroadcast): void {
    this.follow(broadcast);
    if (this.viewer !== null) return;
    this.upMeter = new PathMeter();
    this.viewer = this.makePreview({
      whepUrl: broadcast.whep_url,
      token: broadcast.token,
      sound: false, // one's own voice a moment later is hard to speak over
      onState: () => undefined, // the broadcaster knows more
      onStream: (stream) => {
        this.downMeter = new PathMeter();
        this.preview.set(stream);
      },
    });
    void this.viewer.run();
  }

  private follow({ id, token }: CreatedBroadcast): void {
    if (this.following !== null) return;
    this.following = new AbortController();
    void follow(id, {
      api: this.api,
      token,
      hear: (news) => this.hear(news),
      signal: this.following.signal,
    });
  }

  private hear(news: Broadcast | null): void {
    if (news !== null) this.news.set(news);
    if (news?.recording) this.recorded.set(news.recording.name);
    this.viewer?.heard(news);
    this.broadcaster.heard(news);
  }

  private stopPreview(): void {
    this.following?.abort();
    this.following = null;
    void this.viewer?.close();
    this.viewer = null;
    this.news.set(null);
    this.figures.set(null);
    this.preview.set(null);
    this.kept.forget();
  }

  /** Say why there is no camera, if that is still so once it is known which other devices there are. */
  private async explain(error: CameraError, whileIn: BroadcasterState["kind"]): Promise<void> {
    await this.devices.update();
    if (this.state.get().kind !== whileIn) return;
    this.fault.set({ error, ways: this.devices.ways(() => this.goLive()) });
  }

  private refused(problem: Problem): void {
    this.askForCode(problem);
    if (this.isForgotten(problem)) this.state.set({ kind: "idle" });
  }

  /** Tell whether the server has forgotten photos. What chooses them says so itself, and asks for them anew. */
  private isForgotten({ code, people }: Problem): boolean {
    if (code === "persona.unknown") return this.faces.forget();
    return code === "policy.unknown_person" && this.people.forget(people);
  }

  private askForCode({ code }: Problem): void {
    if (code === "live.token") this.code.isNeeded.set(true);
  }

  private async changeOnAir(): Promise<void> {
    const { policy } = this;
    if (policy === null || !isOnAir(this.state.get())) return;
    this.change.set({ note: "changing", problem: this.change.get().problem });
    try {
      await this.broadcaster.change(policy);
      this.change.set({ note: "changed", problem: null });
      this.keep();
    } catch (error) {
      const problem = Problem.from(error);
      const isSaid = this.isForgotten(problem);
      this.change.set({ note: null, problem: isSaid ? null : problem });
    }
    const shown = this.change.get();
    setTimeout(() => this.change.get() === shown && this.change.patch({ note: null }), NOTE_MS);
  }

  /** Keep what is needed to go on after the page is loaded anew. */
  private keep(): void {
    const state = this.state.get();
    if (state.kind !== "live") return;
    this.kept.keep({
      broadcast: state.broadcast,
      sinceMs: state.sinceMs,
      title: this.title.get(),
      face: this.faces.kept,
      people: this.people.kept,
      choice: this.devices.choice,
      muted: this.devices.state.get().muted,
    });
  }

  /** Read what the connections have measured since the last time. */
  async measure(): Promise<void> {
    const [up, down] = await Promise.all([this.broadcaster.stats(), this.viewer?.stats() ?? null]);
    const news = this.news.get();
    if (up === null || down === null || news === null || this.state.get().kind !== "live") return;
    const downStats = this.downMeter.read(down);
    const delayMs = estimateDelay(this.upMeter.read(up), news.server_delay_ms, downStats);
    this.figures.set({ down: downStats, delayMs });
  }

  /** A camera that is plugged in again goes on by itself. Another one shows another place: the person decides. */
  private async cameraMayBeBack(): Promise<void> {
    if (this.state.get().kind !== "camera-lost") return;
    const { cameras } = await this.camera.devices();
    const last = cameras.find(({ deviceId }) => deviceId === this.camera.lastId);
    if (last !== undefined && this.state.get().kind === "camera-lost") this.switchCamera(last.deviceId);
  }
}

/** Whether the person has loaded this page anew, and not come to it from elsewhere. */
function isReload(): boolean {
  const [navigation] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  return navigation?.type === "reload";
}
