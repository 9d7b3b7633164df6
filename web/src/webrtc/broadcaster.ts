import type { Api, CreatedBroadcast, Wish } from "../api/client";
import { Problem } from "../api/problem";
import { type Camera, CameraError, type Choice } from "./camera";
import { Backoff } from "./retry";
import { WhipSession } from "./whip";

export type BroadcasterState =
  | { kind: "idle" }
  | { kind: "opening-camera" }
  | { kind: "connecting" }
  | { kind: "live"; broadcast: CreatedBroadcast; sinceMs: number }
  /** The connection is lost; `atMs` is when it is tried again, null while it is being tried. */
  | {
      kind: "reconnecting";
      broadcast: CreatedBroadcast;
      sinceMs: number;
      problem: Problem;
      atMs: number | null;
    }
  | { kind: "stopping" }
  | { kind: "ended"; by: "broadcaster" | "server" }
  | { kind: "failed"; error: Problem | CameraError };

export interface BroadcasterOptions {
  api: Pick<Api, "create" | "change" | "end">;
  camera: Pick<Camera, "open" | "close" | "stream">;
  onState: (state: BroadcasterState) => void;
  openSession?: (
    token: string,
    onLost: () => void,
  ) => Pick<WhipSession, "open" | "replace" | "close" | "stats">;
  backoff?: Backoff;
}

type Session = ReturnType<NonNullable<BroadcasterOptions["openSession"]>>;

/** Somebody who goes live: opens the camera, makes the broadcast, publishes, and comes back after a loss. */
export class Broadcaster {
  private broadcast: CreatedBroadcast | null = null;
  private session: Session | null = null;
  private sinceMs = 0;
  private closing = new AbortController();
  private readonly backoff: Backoff;

  constructor(private readonly options: BroadcasterOptions) {
    this.backoff = options.backoff ?? new Backoff();
  }

  async goLive(wish: Wish, title: string, choice: Choice): Promise<void> {
    const { api, camera, onState } = this.options;
    this.closing = new AbortController();
    const { signal } = this.closing;
    try {
      onState({ kind: "opening-camera" });
      if (camera.stream === null) await camera.open(choice);
      onState({ kind: "connecting" });
      this.broadcast = await api.create(wish, title);
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

  /** Change the treatment on air. */
  async change(wish: Wish): Promise<void> {
    if (this.broadcast === null) return;
    await this.options.api.change(this.broadcast.id, this.broadcast.token, wish);
  }

  /** Use another camera or microphone from now on, on air or not. */
  async choose(choice: Choice): Promise<void> {
    const stream = await this.options.camera.open(choice);
    await this.session?.replace(stream);
  }

  async stats(): Promise<RTCStatsReport | null> {
    return (await this.session?.stats()) ?? null;
  }

  async stop(): Promise<void> {
    this.options.onState({ kind: "stopping" });
    await this.abandon();
    this.options.onState({ kind: "ended", by: "broadcaster" });
  }

  /** End everything without a word; safe while the page is being closed, for its requests outlive the page. */
  async abandon(): Promise<void> {
    this.closing.abort();
    const down = this.takeDown();
    this.options.camera.close();
    await down;
  }

  private async publish(broadcast: CreatedBroadcast, signal: AbortSignal): Promise<void> {
    const { camera, onState } = this.options;
    const openSession = this.options.openSession ?? ((token, lose) => new WhipSession({ token }, lose));
    const lost = new AbortController();
    const session = openSession(broadcast.token, () => lost.abort());
    this.session = session;
    const { stream } = camera;
    if (stream === null) throw new CameraError("failed");
    await session.open(broadcast.whip_url, stream);
    if (signal.aborted) return;
    if (lost.signal.aborted) throw new Problem("connection.lost", 0);
    const since = performance.now();
    lost.signal.addEventListener("abort", () => {
      this.backoff.stood(performance.now() - since);
      void this.comeBack(broadcast, signal);
    });
    onState({ kind: "live", broadcast, sinceMs: this.sinceMs });
  }

  /** Publish in the same broadcast again, as often as it takes, until the server says that there is none. */
  private async comeBack(broadcast: CreatedBroadcast, signal: AbortSignal): Promise<void> {
    const { camera, onState } = this.options;
    const { sinceMs } = this;
    let problem = new Problem("connection.lost", 0);
    while (!signal.aborted) {
      const tell = (atMs: number | null) =>
        onState({ kind: "reconnecting", broadcast, sinceMs, problem, atMs });
      await this.backoff.wait(problem, signal, tell);
      if (signal.aborted) return;
      tell(null);
      try {
        await this.publish(broadcast, signal);
        return;
      } catch (error) {
        if (signal.aborted) return;
        problem = Problem.from(error);
        // "Taken" is by our own lost connection, which the server has not yet given up.
        if (problem.retryable || problem.code === "live.taken") continue;
        this.closing.abort();
        camera.close();
        await this.takeDown();
        onState(problem.isOver ? { kind: "ended", by: "server" } : { kind: "failed", error: named(error) });
      }
    }
  }

  private async takeDown(): Promise<void> {
    const { session, broadcast } = this;
    this.session = null;
    this.broadcast = null;
    // Both requests must be on their way before the page is gone, so neither waits for the other; the one that
    // matters goes first, for Firefox may be gone before the second. If the server cannot be reached it ends the
    // broadcast by itself, once no picture comes.
    await Promise.allSettled([
      broadcast && this.options.api.end(broadcast.id, broadcast.token),
      session?.close(),
    ]);
  }
}

function named(error: unknown): Problem | CameraError {
  return error instanceof CameraError ? error : Problem.from(error);
}
