import type { Api, Broadcast, CreatedBroadcast } from "../api/client";
import type { Policy } from "../api/policy";
import { Problem } from "../api/problem";
import { type Camera, CameraError, type Choice } from "./camera";
import { FramePace } from "./frame-pace";
import { Reconnect } from "./reconnect";
import type { Backoff } from "./retry";
import { WhipSession } from "./whip";

export type BroadcasterState =
  | { kind: "idle" }
  | { kind: "opening-camera" }
  | { kind: "connecting" }
  | { kind: "live"; broadcast: CreatedBroadcast; sinceMs: number }
  /** The camera is gone; viewers see the slate until `choose` brings another one. */
  | { kind: "camera-lost"; broadcast: CreatedBroadcast; sinceMs: number }
  /** The connection is lost; `atMs` is when it is tried again at the latest, null while it is being tried. */
  | {
      kind: "reconnecting";
      broadcast: CreatedBroadcast;
      sinceMs: number;
      problem: Problem;
      atMs: number | null;
    }
  /** The page was loaded anew and has the broadcast but no camera yet; viewers see the slate until `resume`. */
  | { kind: "interrupted"; broadcast: CreatedBroadcast; sinceMs: number; isOpening: boolean }
  | { kind: "stopping" }
  | { kind: "ended"; by: "broadcaster" | "server" }
  | { kind: "failed"; error: Problem | CameraError };

export interface BroadcasterOptions {
  api: Pick<Api, "create" | "change" | "record" | "end" | "leave">;
  camera: Pick<Camera, "open" | "close" | "stream" | "onLost">;
  onState: (state: BroadcasterState) => void;
  openSession?: (
    token: string,
    onLost: () => void,
  ) => Pick<WhipSession, "open" | "replace" | "close" | "stats" | "limitFps">;
  backoff?: Backoff;
}

type Session = ReturnType<NonNullable<BroadcasterOptions["openSession"]>>;

/** Somebody who goes live: opens the camera, makes the broadcast, publishes, and comes back after a loss. */
export class Broadcaster {
  private broadcast: CreatedBroadcast | null = null;
  private session: Session | null = null;
  /** Aborts with the reason when the connection is lost; null before it first stands. */
  private line: AbortController | null = null;
  private isReturning = false;
  private sinceMs = 0;
  private closing = new AbortController();
  private Reconnect: Reconnect;
  private pace = new FramePace();

  constructor(private readonly options: BroadcasterOptions) {
    this.Reconnect = new Reconnect(options.backoff);
    options.camera.onLost(() => this.tellCameraLost());
  }

  async goLive(policy: Policy, title: string, choice: Choice): Promise<void> {
    const { api, camera, onState } = this.options;
    this.closing = new AbortController();
    this.Reconnect = new Reconnect(this.options.backoff);
    const { signal } = this.closing;
    try {
      onState({ kind: "opening-camera" });
      if (camera.stream === null) await camera.open(choice);
      onState({ kind: "connecting" });
      this.broadcast = await api.create(policy, title);
      this.sinceMs = Date.now();
      if (!signal.aborted) await this.publish(this.broadcast, signal);
    } catch (error) {
      if (signal.aborted) return;
      await this.takeDown();
      onState({ kind: "failed", error: named(error) });
    }
    // The stop came while the server was still making the broadcast.
    if (signal.aborted) await this.takeDown();
  }

  /** Take over a broadcast that this page carried before it was loaded anew. */
  takeOver(broadcast: CreatedBroadcast, sinceMs: number): void {
    this.closing = new AbortController();
    this.Reconnect = new Reconnect(this.options.backoff);
    this.broadcast = broadcast;
    this.sinceMs = sinceMs;
    this.options.onState({ kind: "interrupted", broadcast, sinceMs, isOpening: false });
  }

  /**
   * Publish again in the broadcast that was taken over.
   *
   * @throws CameraError The camera cannot be had; the broadcast stays as it is.
   */
  async resume(choice: Choice): Promise<void> {
    const { broadcast, closing, sinceMs } = this;
    if (broadcast === null) return;
    const { camera, onState } = this.options;
    try {
      onState({ kind: "interrupted", broadcast, sinceMs, isOpening: true });
      if (camera.stream === null) await camera.open(choice);
    } catch (error) {
      if (closing.signal.aborted) return;
      onState({ kind: "interrupted", broadcast, sinceMs, isOpening: false });
      throw error;
    }
    if (!closing.signal.aborted) await this.comeBack(broadcast, closing.signal, null);
  }

  /** Change the treatment on air. */
  async change(policy: Policy): Promise<void> {
    if (this.broadcast === null) return;
    await this.options.api.change(this.broadcast.id, this.broadcast.token, policy);
  }

  /** Begin or end the recording of what viewers get. */
  async record(on: boolean): Promise<void> {
    if (this.broadcast === null) return;
    await this.options.api.record(this.broadcast.id, this.broadcast.token, on);
  }

  /** Use another camera or microphone from now on, on air or not. */
  async choose(choice: Choice): Promise<void> {
    const hadCamera = this.hasCamera;
    try {
      const stream = await this.options.camera.open(choice);
      if (this.isConnected) await this.session?.replace(stream);
    } catch (error) {
      // A phone lets go of one camera before it opens the next, so now there is none.
      this.tellCameraLost();
      throw error;
    }
    const { broadcast, closing } = this;
    if (hadCamera || broadcast === null) return;
    if (this.isConnected) this.tellLive(broadcast);
    else if (this.line !== null && !this.isReturning) void this.comeBack(broadcast, closing.signal, null);
  }

  /** Take in what the broadcast has become; null where there is none any more. */
  heard(news: Broadcast | null): void {
    if (this.broadcast === null || this.closing.signal.aborted) return;
    if (news === null) {
      void this.giveUp({ kind: "ended", by: "server" });
    } else if (this.Reconnect.heard(news)) {
      // The line is dead, or never comes to life, which the page alone would notice seconds later.
      void this.session?.close();
      this.line?.abort(new Problem("live.lost", 503));
    } else if (this.isConnected) {
      void this.session?.limitFps(this.pace.heard(news, performance.now()));
    }
  }

  async stats(): Promise<RTCStatsReport | null> {
    return (await this.session?.stats()) ?? null;
  }

  async stop(): Promise<void> {
    this.options.onState({ kind: "stopping" });
    this.closing.abort();
    const down = this.takeDown();
    this.options.camera.close();
    await down;
    this.options.onState({ kind: "ended", by: "broadcaster" });
  }

  /**
   * Go off air at once, from a page that goes. It may only be loaded anew, which no page can know: the server waits a
   * while before it ends the broadcast.
   */
  leave(): void {
    this.closing.abort();
    const { broadcast, session } = this;
    this.broadcast = null;
    this.session = null;
    if (broadcast !== null) this.options.api.leave(broadcast.id, broadcast.token);
    void session?.close();
    this.options.camera.close();
  }

  private get isConnected(): boolean {
    return this.line !== null && !this.line.signal.aborted;
  }

  private get hasCamera(): boolean {
    const tracks = this.options.camera.stream?.getVideoTracks() ?? [];
    return tracks.some(({ readyState }) => readyState === "live");
  }

  private tellLive(broadcast: CreatedBroadcast): void {
    this.options.onState({ kind: "live", broadcast, sinceMs: this.sinceMs });
  }

  private tellCameraLost(): void {
    const { broadcast, closing, sinceMs } = this;
    // Before the connection first stands, it is `goLive` that fails.
    if (broadcast === null || this.line === null || closing.signal.aborted) return;
    this.options.onState({ kind: "camera-lost", broadcast, sinceMs });
  }

  private async publish(broadcast: CreatedBroadcast, signal: AbortSignal): Promise<void> {
    const { camera } = this.options;
    const openSession = this.options.openSession ?? ((token, lose) => new WhipSession({ token }, lose));
    const line = new AbortController();
    const session = openSession(broadcast.token, () => line.abort(new Problem("connection.lost", 0)));
    this.session = session;
    this.pace = new FramePace();
    const { stream } = camera;
    if (stream === null) throw new CameraError("failed");
    await session.open(broadcast.whip_url, stream);
    // Another camera may have been chosen meanwhile, or none be left.
    if (camera.stream !== null && camera.stream !== stream) await session.replace(camera.stream);
    if (signal.aborted) return;
    line.signal.throwIfAborted();
    this.line = line;
    const since = performance.now();
    line.signal.addEventListener("abort", () => {
      this.Reconnect.stood(performance.now() - since);
      if (!signal.aborted) void this.comeBack(broadcast, signal, Problem.from(line.signal.reason));
    });
    if (this.hasCamera) this.tellLive(broadcast);
    else this.tellCameraLost();
  }

  /**
   * Publish in the same broadcast again, as often as it takes, until the server says that there is none.
   *
   * @param problem Why to wait first; null tries at once.
   */
  private async comeBack(
    broadcast: CreatedBroadcast,
    signal: AbortSignal,
    problem: Problem | null,
  ): Promise<void> {
    this.isReturning = true;
    let last = problem;
    while (!signal.aborted) {
      const said = last ?? new Problem("connection.lost", 0);
      const tell = (atMs: number | null) =>
        this.options.onState({ kind: "reconnecting", broadcast, sinceMs: this.sinceMs, problem: said, atMs });
      if (last !== null && this.hasCamera) await this.Reconnect.wait(last, signal, tell);
      if (signal.aborted) break;
      // Without a picture there is nothing to publish; the next camera that is chosen goes on from here.
      if (!this.hasCamera) {
        this.tellCameraLost();
        break;
      }
      tell(null);
      try {
        await this.publish(broadcast, signal);
        break;
      } catch (error) {
        if (signal.aborted) break;
        last = Problem.from(error);
        // "Taken" is by our own lost connection, which the server has not yet given up.
        if (last.retryable || last.code === "live.taken") continue;
        await this.giveUp(
          last.isOver ? { kind: "ended", by: "server" } : { kind: "failed", error: named(error) },
        );
      }
    }
    this.isReturning = false;
  }

  /** Be off air, camera too, for a reason that is not the person's. */
  private async giveUp(last: BroadcasterState): Promise<void> {
    this.closing.abort();
    this.options.camera.close();
    await this.takeDown();
    this.options.onState(last);
  }

  private async takeDown(): Promise<void> {
    const { session, broadcast } = this;
    this.session = null;
    this.line = null;
    this.broadcast = null;
    // If the server cannot be reached it ends the broadcast by itself, once no picture comes.
    await Promise.allSettled([
      broadcast && this.options.api.end(broadcast.id, broadcast.token),
      session?.close(),
    ]);
  }
}

function named(error: unknown): Problem | CameraError {
  return error instanceof CameraError ? error : Problem.from(error);
}
