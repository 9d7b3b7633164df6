import { Problem } from "../api/problem";
import { sleep } from "./retry";
import { Signalling, type SignallingOptions } from "./signalling";

/** A loopback or home network connects in a fraction of this; a TURN relay behind a bad line needs seconds. */
const CONNECT_TIMEOUT_MS = 12_000;
/** ICE says "disconnected" on a short loss and often recovers by itself (RFC 7675 gives up after 30 s). */
const DISCONNECTED_GRACE_MS = 2_500;
const WATCHDOG_MS = 1_000;
/**
 * So many seconds without a byte mean a dead line. A viewer gets pictures all the time, slate or not, and a publisher
 * gets reports on what arrived; ICE by itself would need five to ten seconds more.
 */
const SILENT_LOOKS = 4;

export type MakeConnection = (configuration: RTCConfiguration) => RTCPeerConnection;
export const makeConnection: MakeConnection = (configuration) => new RTCPeerConnection(configuration);

/** What WHIP and WHEP sessions share: one peer connection from the offer until it is lost or closed. */
export class Peer {
  readonly connection: RTCPeerConnection;
  private readonly signalling: Signalling;
  private readonly closing = new AbortController();
  private graceTimer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param onLost Called once if an established connection breaks; never after `close`.
   * @param make Makes the peer connection; the browser's own unless a test says otherwise.
   */
  constructor(
    options: SignallingOptions,
    private readonly onLost: () => void,
    make: MakeConnection = makeConnection,
  ) {
    this.connection = make({ iceServers: [], bundlePolicy: "max-bundle" });
    this.signalling = new Signalling(this.connection, options);
  }

  /** Negotiate with `endpoint` and wait until media can flow. */
  async connect(endpoint: string): Promise<void> {
    try {
      await this.signalling.negotiate(endpoint, this.closing.signal);
      await this.connected();
    } catch (error) {
      await this.close();
      throw Problem.from(error);
    }
    this.connection.addEventListener("connectionstatechange", () => this.watch());
    this.watch();
    // A server that hangs up says so over DTLS, and Chromium tells only the transport of it: the connection would
    // look fine until ICE misses it ten seconds later. All media share one BUNDLE, so one transport speaks for all.
    const transport = this.connection.getTransceivers()[0]?.receiver.transport;
    transport?.addEventListener("statechange", () => {
      if (transport.state === "closed" || transport.state === "failed") this.lose();
    });
    // With another network than before, a connection that wavers will not recover.
    window.addEventListener(
      "online",
      () => this.connection.connectionState === "disconnected" && this.lose(),
      {
        signal: this.closing.signal,
      },
    );
    void this.listenForSilence();
  }

  async close(): Promise<void> {
    clearTimeout(this.graceTimer);
    this.closing.abort(new Problem("live.no_such_session", 0, "closed"));
    this.connection.close();
    await this.signalling.hangUp();
  }

  private connected(): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        const state = this.connection.connectionState;
        if (state === "connected") resolve();
        else if (state === "failed" || state === "closed") fail();
        else return;
        clearTimeout(timer);
        this.connection.removeEventListener("connectionstatechange", settle);
      };
      const fail = () => reject(new Problem("connection", 0, this.connection.connectionState));
      const timer = setTimeout(fail, CONNECT_TIMEOUT_MS);
      this.connection.addEventListener("connectionstatechange", settle);
      this.closing.signal.addEventListener("abort", fail, { once: true });
      settle();
    });
  }

  private watch(): void {
    clearTimeout(this.graceTimer);
    if (this.closing.signal.aborted) return;
    const state = this.connection.connectionState;
    if (state === "failed" || state === "closed") this.lose();
    else if (state === "disconnected") this.graceTimer = setTimeout(() => this.lose(), DISCONNECTED_GRACE_MS);
  }

  private async listenForSilence(): Promise<void> {
    const { signal } = this.closing;
    let [heard, silent] = [-1, 0];
    while (!signal.aborted) {
      const bytes = bytesIn(await this.connection.getStats());
      silent = bytes === heard ? silent + 1 : 0;
      heard = bytes;
      if (silent === SILENT_LOOKS) this.lose();
      await sleep(WATCHDOG_MS, signal);
    }
  }

  private lose(): void {
    if (this.closing.signal.aborted) return;
    void this.close();
    this.onLost();
  }
}

/** All that came in on any path; a path that was given up keeps what it had. */
function bytesIn(report: RTCStatsReport): number {
  const pairs = [...report.values()].filter(({ type }) => type === "candidate-pair");
  return pairs.reduce((sum, { bytesReceived }) => sum + (bytesReceived ?? 0), 0);
}
