import type { Problem } from "../api/problem";

const FIRST_MS = 500;
const LONGEST_MS = 15_000;
/** A connection that broke sooner was no success: a server that takes and drops us must not be asked twice a second. */
const STEADY_MS = 5_000;

/** How long to wait before the next try: doubles from half a second to fifteen, give or take a fifth. */
export class Backoff {
  private tries = 0;

  constructor(private readonly random: () => number = Math.random) {}

  /** Forget the failures if a connection stood for a while. */
  stood(milliseconds: number): void {
    if (milliseconds >= STEADY_MS) this.tries = 0;
  }

  /** @param atLeastMs What the server asked for in Retry-After. */
  nextMs(atLeastMs = 0): number {
    const plain = Math.min(FIRST_MS * 2 ** this.tries, LONGEST_MS);
    this.tries += 1;
    // Viewers of one broadcast lose it in the same moment; the jitter keeps them from coming back in one.
    return Math.max(Math.round(plain * (0.8 + 0.4 * this.random())), atLeastMs);
  }

  /**
   * Wait until it is time for the next try after `problem`.
   *
   * A network that comes back ends the wait at once, but never before the server asked.
   *
   * @param tell Called with the time at which the wait will end.
   */
  async wait(problem: Problem, signal: AbortSignal, tell: (atMs: number) => void): Promise<void> {
    const askedMs = (problem.retryAfterSeconds ?? 0) * 1000;
    const waitMs = this.nextMs(askedMs);
    tell(Date.now() + waitMs);
    await sleep(askedMs, signal);
    await sleep(waitMs - askedMs, signal, "online");
  }
}

/** Wait; an abort, or an event `early` of the window, ends the wait early, which is no error. */
export function sleep(milliseconds: number, signal: AbortSignal, early?: "online"): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted || milliseconds <= 0) return resolve();
    const wake = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      if (early) window.removeEventListener(early, wake);
      resolve();
    };
    const timer = setTimeout(wake, milliseconds);
    signal.addEventListener("abort", wake);
    if (early) window.addEventListener(early, wake);
  });
}
