import type { Broadcast } from "../api/client";
import { Problem } from "../api/problem";
import { Reconnect } from "./reconnect";
import { type Backoff, sleep } from "./retry";
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
  /** There is none any more; or there never was one, as far as this page has heard. */
  | { kind: "ended" }
  | { kind: "unknown" }
  | { kind: "failed"; problem: Problem };

/** The connection is lost; `atMs` is when it is tried again at the latest, null while it is being tried. */
export interface Reconnecting {
  kind: "reconnecting";
  problem: Problem;
  atMs: number | null;
}

export interface ViewerOptions {
  whepUrl: string;
  /** The broadcast's own token, where the broadcaster looks at their own picture: they are no audience. */
  token?: string;
  sound: boolean;
  /** Called with every new state. */
  onState: (state: ViewerState) => void;
  /** Called with the stream of each new connection, once it stands. */
  onStream: (stream: MediaStream) => void;
  openSession?: (onLost: () => void) => Pick<WhepSession, "open" | "close" | "stats" | "stream">;
  backoff?: Backoff;
}

type Session = ReturnType<NonNullable<ViewerOptions["openSession"]>>;

/** Somebody who watches: connects, comes back after a loss, and knows from the news what the picture is. */
export class Viewer {
  private readonly closing = new AbortController();
  private readonly Reconnect: Reconnect;
  private session: Session | null = null;
  /** Aborts with the reason when the connection is lost; null while there is none. */
  private line: AbortController | null = null;
  private last: Broadcast | null = null;

  constructor(private readonly options: ViewerOptions) {
    this.Reconnect = new Reconnect(options.backoff);
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
        if (problem.isOver) return this.tellOver();
        if (!problem.retryable) return onState({ kind: "failed", problem });
        await this.pause(problem, signal);
      }
    }
  }

  /** Take in what the broadcast has become; null where there is none any more. */
  heard(broadcast: Broadcast | null): void {
    if (this.closing.signal.aborted) return;
    if (broadcast === null) {
      void this.close();
      this.tellOver();
      return;
    }
    this.last = broadcast;
    if (this.Reconnect.heard(broadcast)) {
      // The line is dead, or never comes to life, which the page alone would notice seconds later.
      void this.session?.close();
      this.line?.abort(new Problem("live.lost", 503));
    }
    this.tell();
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
    const tell = (atMs: number | null) => this.options.onState({ kind: "reconnecting", problem, atMs });
    await this.Reconnect.wait(problem, signal, tell);
    if (!signal.aborted) tell(null);
  }

  /** Say what the picture is, where there is one and it is known. */
  private tell(): void {
    const broadcast = this.last;
    if (broadcast === null || this.line === null || this.line.signal.aborted) return;
    const { state } = broadcast;
    if (state === "waiting" || state === "live" || state === "paused")
      this.options.onState({ kind: state, broadcast });
  }

  private tellOver(): void {
    this.options.onState({ kind: this.last === null ? "unknown" : "ended" });
  }

  /** Connect, and stay until the connection is lost, which throws. */
  private async watchOnce(): Promise<void> {
    const line = new AbortController();
    const openSession =
      this.options.openSession ?? ((lose) => new WhepSession({ token: this.options.token ?? null }, lose));
    const session = openSession(() => line.abort(new Problem("connection.lost", 0)));
    this.session = session;
    try {
      await session.open(this.options.whepUrl, { sound: this.options.sound });
      // Not before: a video element that waits for a stream keeps the page's load event waiting too.
      this.options.onStream(session.stream);
      this.line = line;
      this.tell();
      const since = performance.now();
      try {
        const signal = AbortSignal.any([line.signal, this.closing.signal]);
        // The loss may come while the picture is looked at, and Firefox never answers for a closed connection.
        await Promise.race([this.watchPicture(session, signal), aborted(signal)]);
        signal.throwIfAborted();
      } finally {
        this.Reconnect.stood(performance.now() - since);
      }
    } finally {
      this.session = null;
      this.line = null;
      void session.close(); // whose goodbye may find nobody to answer it
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

/** Throws the reason of `signal` once it aborts. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

function picturesOf(report: RTCStatsReport): number {
  const inbound = [...report.values()].filter(({ type, kind }) => type === "inbound-rtp" && kind === "video");
  return inbound.reduce((sum, { framesDecoded }) => sum + (framesDecoded ?? 0), 0);
}
