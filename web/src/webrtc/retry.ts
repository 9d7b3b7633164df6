const FIRST_MS = 500;
const LONGEST_MS = 15_000;

/** How long to wait before the next try: doubles from half a second to fifteen, give or take a fifth. */
export class Backoff {
  private tries = 0;

  constructor(private readonly random: () => number = Math.random) {}

  /** Forget the failures: the connection has stood. */
  reset(): void {
    this.tries = 0;
  }

  /** @param atLeastMs What the server asked for in Retry-After. */
  nextMs(atLeastMs = 0): number {
    const plain = Math.min(FIRST_MS * 2 ** this.tries, LONGEST_MS);
    this.tries += 1;
    // Viewers of one broadcast lose it in the same moment; the jitter keeps them from coming back in one.
    return Math.max(Math.round(plain * (0.8 + 0.4 * this.random())), atLeastMs);
  }
}
