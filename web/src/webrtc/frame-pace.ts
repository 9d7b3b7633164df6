/** Frames a second that a browser sends where nothing stands against it. */
export const MAX_FPS = 30;
/** Fewer look like a slide show, and a server that treats fewer drops the rest itself. */
const LEAST_FPS = 15;
/** A server that treats less than this share of what arrives is short of time. */
const KEEPS_UP = 0.85;
const SHORT_MS = 3_000;
/** In its first seconds a broadcast is short of time for reasons that pass: pages load, the next worker gets ready. */
const SETTLING_MS = 8_000;
const RAISE_FPS = 3;
const WAIT_MS = { first: 2_000, longest: 32_000 };

/**
 * How many frames a second to send to a server that cannot treat them all.
 *
 * A frame that the server drops was encoded, sent and decoded for nothing, on a machine that is short of time already.
 * So the browser sends fewer, halfway to as many as come out, until none is dropped to speak of: the time that this saves
 * treats some more. It tries more after a while, and waits longer after each try in vain.
 */
export class FramePace {
  private limit = MAX_FPS;
  private beganMs: number | null = null;
  private shortSinceMs: number | null = null;
  private steadySinceMs = 0;
  private waitMs = WAIT_MS.first;

  /** Take in what the server says of itself, and return how many frames a second to send from now on. */
  heard(server: { fps_in: number; fps_out: number }, atMs: number): number {
    if (server.fps_in <= 0) return this.limit;
    this.beganMs ??= atMs;
    if (server.fps_out >= KEEPS_UP * server.fps_in) {
      this.shortSinceMs = null;
      if (this.limit < MAX_FPS && atMs - this.steadySinceMs >= this.waitMs)
        this.set(this.limit + RAISE_FPS, atMs);
      return this.limit;
    }
    if (atMs - this.beganMs < SETTLING_MS) return this.limit;
    this.shortSinceMs ??= atMs;
    if (atMs - this.shortSinceMs >= SHORT_MS && this.limit > LEAST_FPS) {
      const raisedInVain = this.limit < MAX_FPS;
      this.waitMs = raisedInVain ? Math.min(2 * this.waitMs, WAIT_MS.longest) : WAIT_MS.first;
      this.set((Math.min(server.fps_in, this.limit) + server.fps_out) / 2, atMs);
    }
    return this.limit;
  }

  private set(fps: number, atMs: number): void {
    this.limit = Math.max(LEAST_FPS, Math.min(MAX_FPS, Math.round(fps)));
    this.shortSinceMs = null;
    this.steadySinceMs = atMs;
  }
}
