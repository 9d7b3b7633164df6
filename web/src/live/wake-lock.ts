/** Keeps a phone's screen on while on air: a sleeping phone stops its camera. */
export class WakeLock {
  private lock: WakeLockSentinel | null = null;
  private wanted = false;

  constructor() {
    // The browser takes the lock back whenever the page is hidden.
    document.addEventListener("visibilitychange", () => void this.hold(this.wanted));
  }

  async hold(wanted: boolean): Promise<void> {
    this.wanted = wanted;
    if (wanted && !document.hidden && (this.lock?.released ?? true)) {
      this.lock = (await navigator.wakeLock?.request("screen").catch(() => null)) ?? null;
    } else if (!wanted) {
      await this.lock?.release();
      this.lock = null;
    }
  }
}
