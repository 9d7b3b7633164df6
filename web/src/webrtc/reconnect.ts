import type { Broadcast } from "../api/client";
import type { Problem } from "../api/problem";
import { Backoff } from "./retry";

/**
 * When to connect anew: after longer and longer waits, or as soon as the news says that a broadcast which broke is back.
 *
 * A break can be over before the next news, so its count tells of it, not the state. Each listener gets news at its own
 * quarter of a second, so the viewers of one broadcast do not come back in one moment.
 */
export class Reconnect {
  private last: Broadcast | null = null;
  private back = new AbortController();

  constructor(private readonly backoff: Backoff = new Backoff()) {}

  /** Take in news. @returns Whether every connection of before is dead. */
  heard(now: Broadcast): boolean {
    const before = this.last;
    this.last = now;
    if (before === null) return false;
    const broke = now.restarts > before.restarts;
    if (broke) this.back = new AbortController();
    if (now.state !== "restarting" && (broke || before.state === "restarting")) this.back.abort();
    return broke;
  }

  /** Forget the failures if a connection stood for a while. */
  stood(milliseconds: number): void {
    this.backoff.stood(milliseconds);
  }

  /**
   * Wait until it is time for the next try after `problem`.
   *
   * @param tell Called with the time at which the wait will end at the latest.
   */
  async wait(problem: Problem, signal: AbortSignal, tell: (atMs: number) => void): Promise<void> {
    await this.backoff.wait(problem, AbortSignal.any([signal, this.back.signal]), tell);
    // It ends one wait; a try that fails all the same is followed by a full one.
    if (this.back.signal.aborted) this.back = new AbortController();
  }
}
