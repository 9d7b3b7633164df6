import type { Broadcast } from "../api/client";
import type { Follow } from "../api/follow";
import { Problem } from "../api/problem";
import { Backoff, sleep } from "./retry";
import { WhepSession } from "./whep";

const WATCHDOG_MS = 1_000;
/**
 * So many seconds without a new picture mean that the decoder waits in vain: the server repeats even a still picture
 * five times a second.
 */
const STALLED_LOOKS = 6;

export type ViewerState =
  | { kind: "connecting" }
  | { kind: "waiting"; broadcast: Broadcast }
  | { kind: "live"; broadcast: Broadcast }
  | { kind: "paused"; broadcast: Broadcast }
  | Reconnecting
  | { kind: "ended" }
  | { kind: "failed"; problem: Problem };

/** The connection is lost; `atMs` is when it is tried again, null while it is being tried. */
export interface Reconnecting {
  kind: "reconnecting";
  problem: Problem;
  atMs: number | null;
  /** As it was when last heard of. */
  last: Broadcast | null;
}

export interface ViewerOptions {
  whepUrl: string;
  /** The broadcast's own token, where the broadcaster looks at their own picture: they are no audience. */
  token?: string;
  sound: boolean;
  follow: Follow;
  /** Called with every new state. */
  onState: (state: ViewerState) => void;
  /** Called with the stream of each new connection, once it stands. */
  onStream: (stream: MediaStream) => void;
  openSession?: (onLost: () => void) => Pick<WhepSession, "open" | "close" | "stats" | "stream">;
  backoff?: Backoff;
}

type Session = ReturnType<NonNullable<ViewerOptions["openSession"]>>;

/** Somebody who watches: connects, comes back after a loss, and knows what the picture is. */
export class Viewer {
  private readonly closing = new AbortController();
  private readonly backoff: Backoff;
  private session: Session | null = null;
  private last: Broadcast | null = null;

  constructor(private readonly options: ViewerOptions) {
    this.backoff = options.backoff ?? new Backoff();
  }

  /** Watch until the broadcast is over, cannot be watched, or `close` is called. */
  async run(): Promise<void> {
    const { onState } = this.options;
    const { signal } = this.closing;
    onState({ kind: "connecting" });
    while (!signal.aborted) {
      try {
        await this.watchOnce();
      } catch (error) {
        const problem = Problem.from(error);
        if (signal.aborted) return;
        if (problem.isOver) return onState({ kind: "ended" });
        if (!problem.retryable) return onState({ kind: "failed", problem });
        await this.pause(problem, signal);
      }
    }
  }

  /** What the connection measures, or null while there is none. */
  async stats(): Promise<RTCStatsReport | null> {
    return (await this.session?.stats()) ?? null;
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.session?.close();
  }

  private async pause(problem: Problem, signal: AbortSignal): Promise<void> {
    const tell = (atMs: number | null) =>
      this.options.onState({ kind: "reconnecting", problem, atMs, last: this.last });
    await this.backoff.wait(problem, signal, tell);
    if (!signal.aborted) tell(null);
  }

  /** Connect, then follow the broadcast until the connection is lost or the broadcast is gone, which throws. */
  private async watchOnce(): Promise<void> {
    const lost = new AbortController();
    const onLost = () => lost.abort();
    const openSession =
      this.options.openSession ?? ((lose) => new WhepSession({ token: this.options.token ?? null }, lose));
    const session = openSession(onLost);
    this.session = session;
    this.closing.signal.addEventListener("abort", onLost, { once: true });
    try {
      await session.open(this.options.whepUrl, { sound: this.options.sound });
      // Not before: a video element that waits for a stream keeps the page's load event waiting too.
      this.options.onStream(session.stream);
      const since = performance.now();
      try {
        await Promise.race([this.follow(lost.signal), this.watchPicture(session, lost.signal)]);
      } finally {
        this.backoff.stood(performance.now() - since);
      }
      throw new Problem("connection.lost", 0);
    } finally {
      lost.abort();
      this.session = null;
      this.closing.signal.removeEventListener("abort", onLost);
      await session.close();
    }
  }

  private async follow(signal: AbortSignal): Promise<void> {
    for await (const broadcast of this.options.follow(signal)) {
      if (signal.aborted) return;
      if (broadcast.state === "ended") throw new Problem("live.no_such_broadcast", 404, "it has ended");
      this.last = broadcast;
      // What carried it broke; the line is dead, and the next one can be had in a moment.
      if (broadcast.state === "restarting") throw new Problem("live.lost", 503, "it is being restarted");
      this.options.onState({ kind: broadcast.state, broadcast });
    }
  }

  /** Notice packets that come but make no picture; that none come at all is the peer's to notice. */
  private async watchPicture(session: Session, signal: AbortSignal): Promise<void> {
    let [seen, stalled] = [-1, 0];
    while (!signal.aborted) {
      const pictures = picturesOf(await session.stats());
      stalled = pictures === seen ? stalled + 1 : 0;
      seen = pictures;
      // A page that nobody looks at need not decode.
      if (document.hidden) stalled = 0;
      if (stalled === STALLED_LOOKS) throw new Problem("connection.stalled", 0);
      await sleep(WATCHDOG_MS, signal);
    }
  }
}

function picturesOf(report: RTCStatsReport): number {
  const inbound = [...report.values()].filter(({ type, kind }) => type === "inbound-rtp" && kind === "video");
  return inbound.reduce((sum, { framesDecoded }) => sum + (framesDecoded ?? 0), 0);
}
