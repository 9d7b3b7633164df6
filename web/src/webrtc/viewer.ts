import type { Broadcast } from "../api/client";
import { Problem } from "../api/problem";
import { Backoff } from "./retry";
import { WhepSession } from "./whep";

/** How often the server is asked whether the picture is live, a slate, or over. */
const POLL_MS = 2_000;
/**
 * So many looks without a packet mean a dead line. The server repeats even a still picture five times a second, and
 * ICE itself would need ten seconds to notice.
 */
const SILENT_LOOKS = 2;

export type ViewerState =
  | { kind: "connecting" }
  | { kind: "waiting"; broadcast: Broadcast }
  | { kind: "live"; broadcast: Broadcast }
  | { kind: "paused"; broadcast: Broadcast }
  | { kind: "retrying"; problem: Problem; atMs: number }
  | { kind: "ended" }
  | { kind: "failed"; problem: Problem };

export interface ViewerOptions {
  whepUrl: string;
  /** The broadcast's own token, where the broadcaster looks at their own picture: they are no audience. */
  token?: string;
  sound: boolean;
  /** Ask the server about the broadcast. */
  look: () => Promise<Broadcast>;
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

  constructor(private readonly options: ViewerOptions) {
    this.backoff = options.backoff ?? new Backoff();
  }

  /** Watch until the broadcast is over, cannot be watched, or `close` is called. */
  async run(): Promise<void> {
    const { onState } = this.options;
    onState({ kind: "connecting" });
    while (!this.closing.signal.aborted) {
      try {
        await this.watchOnce();
      } catch (error) {
        const problem = Problem.from(error);
        if (this.closing.signal.aborted) return;
        if (problem.code === "live.no_such_broadcast") return onState({ kind: "ended" });
        if (!problem.retryable) return onState({ kind: "failed", problem });
        const waitMs = this.backoff.nextMs((problem.retryAfterSeconds ?? 0) * 1000);
        onState({ kind: "retrying", problem, atMs: Date.now() + waitMs });
        await sleep(waitMs, this.closing.signal);
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

  /** Connect, then follow the broadcast until the connection is lost or the broadcast is gone, which throws. */
  private async watchOnce(): Promise<never> {
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
      this.backoff.reset();
      let [heard, silent] = [-1, 0];
      while (!lost.signal.aborted) {
        const packets = packetsOf(await session.stats());
        silent = packets === heard ? silent + 1 : 0;
        heard = packets;
        if (silent === SILENT_LOOKS) break;
        const broadcast = await this.look();
        if (broadcast !== null) this.tell(broadcast);
        await sleep(POLL_MS, lost.signal);
      }
      throw new Problem("connection", 0, "the connection was lost");
    } finally {
      this.session = null;
      this.closing.signal.removeEventListener("abort", onLost);
      await session.close();
    }
  }

  /** A look that fails on its way says nothing about the picture, which has a path of its own. */
  private async look(): Promise<Broadcast | null> {
    try {
      return await this.options.look();
    } catch (error) {
      const problem = Problem.from(error);
      if (problem.retryable) return null;
      throw problem;
    }
  }

  private tell(broadcast: Broadcast): void {
    if (this.closing.signal.aborted) return;
    if (broadcast.state === "ended") throw new Problem("live.no_such_broadcast", 404, "it has ended");
    // What carried it broke; the line is dead, and the next one can be had in a moment.
    if (broadcast.state === "restarting")
      throw new Problem("live.lost", 503, "the live session is being restarted");
    this.options.onState({ kind: broadcast.state, broadcast });
  }
}

function packetsOf(report: RTCStatsReport): number {
  const inbound = [...report.values()].filter(({ type }) => type === "inbound-rtp");
  return inbound.reduce((sum, { packetsReceived }) => sum + packetsReceived, 0);
}

/** Wait; an abort ends the wait early, which is no error. */
export function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const wake = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, milliseconds);
    signal.addEventListener("abort", wake);
  });
}
