import type { Api, CreatedBroadcast, Wish } from "../api/client";
import { Problem } from "../api/problem";
import { type Camera, CameraError, type Choice } from "./camera";
import { Backoff } from "./retry";
import { sleep } from "./viewer";
import { WhipSession } from "./whip";

export type BroadcasterState =
  | { kind: "idle" }
  | { kind: "opening-camera" }
  | { kind: "connecting" }
  | { kind: "live"; broadcast: CreatedBroadcast; sinceMs: number }
  | { kind: "reconnecting"; broadcast: CreatedBroadcast; problem: Problem }
  | { kind: "stopping" }
  | { kind: "ended" }
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
      if (!signal.aborted) await this.publish(this.broadcast, signal);
    } catch (error) {
      if (signal.aborted) return;
      await this.takeDown();
      onState({ kind: "failed", error: error instanceof CameraError ? error : Problem.from(error) });
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
    this.options.onState({ kind: "ended" });
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
    const session = openSession(broadcast.token, () => void this.comeBack(broadcast, signal));
    this.session = session;
    const { stream } = camera;
    if (stream === null) throw new CameraError("failed");
    await session.open(broadcast.whip_url, stream);
    if (signal.aborted) return;
    this.backoff.reset();
    onState({ kind: "live", broadcast, sinceMs: Date.now() });
  }

  private async comeBack(broadcast: CreatedBroadcast, signal: AbortSignal): Promise<void> {
    let problem = new Problem("connection", 0, "the connection was lost");
    while (!signal.aborted) {
      this.options.onState({ kind: "reconnecting", broadcast, problem });
      await sleep(this.backoff.nextMs((problem.retryAfterSeconds ?? 0) * 1000), signal);
      if (signal.aborted) return;
      try {
        await this.publish(broadcast, signal);
        return;
      } catch (error) {
        problem = Problem.from(error);
        // "Taken" is by our own lost connection, which the server has not yet given up.
        if (problem.retryable || problem.code === "live.taken") continue;
        this.closing.abort();
        await this.takeDown();
        const gone = problem.code === "live.no_such_broadcast";
        this.options.onState(gone ? { kind: "ended" } : { kind: "failed", error: problem });
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
