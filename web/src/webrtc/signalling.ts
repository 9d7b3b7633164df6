import { below } from "../api/place";
import { Problem } from "../api/problem";
import { fragmentOf } from "./fragment";
import { iceServersOf } from "./link";

/** How long candidates are collected before they travel together. */
const TRICKLE_BATCH_MS = 60;

type Fetch = (url: URL | string, request: RequestInit) => Promise<Response>;

export interface SignallingOptions {
  /** Bearer token, or null for a viewer. */
  token: string | null;
  fetchThrough?: Fetch;
}

/**
 * The HTTP side of one WHIP (RFC 9725) or WHEP session: offer out, answer in, candidates after it, DELETE last.
 *
 * The offer is sent before it becomes the local description. Only so can the ICE servers that come with the answer
 * (RFC 9725, 4.6) be in place when the browser begins to gather; what it gathers then trickles (4.3.1).
 */
export class Signalling {
  private sessionUrl: URL | null = null;
  private etag: string | null = null;
  private waiting: RTCIceCandidate[] = [];
  private complete = false;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private readonly fetchThrough: Fetch;

  constructor(
    private readonly connection: RTCPeerConnection,
    private readonly options: SignallingOptions,
  ) {
    this.fetchThrough = options.fetchThrough ?? ((url, request) => fetch(url, request));
  }

  /** Exchange offer and answer with `endpoint`. */
  async negotiate(endpoint: string, abort: AbortSignal): Promise<void> {
    this.connection.addEventListener("icecandidate", ({ candidate }) => this.gathered(candidate));
    const offer = await this.connection.createOffer();
    const response = await this.send(below(endpoint), {
      method: "POST",
      headers: { ...this.headers, "Content-Type": "application/sdp", Accept: "application/sdp" },
      body: offer.sdp ?? "",
      signal: abort,
    });
    // RFC 9725, 4.2: 201 with the session's URL in Location, possibly relative to where the POST ended up.
    const location = response.headers.get("Location");
    if (response.status !== 201 || location === null)
      throw new Problem("unknown", response.status, "no Location");
    this.sessionUrl = new URL(below(location), response.url || window.location.href);
    this.etag = response.headers.get("ETag");
    const answer = await response.text();
    abort.throwIfAborted();

    const iceServers = iceServersOf(response.headers.get("Link") ?? "");
    if (iceServers.length > 0)
      this.connection.setConfiguration({ ...this.connection.getConfiguration(), iceServers });
    await this.connection.setLocalDescription(offer);
    await this.connection.setRemoteDescription({ type: "answer", sdp: answer });
  }

  /** End the session on the server; the request outlives a page that is being closed. */
  async hangUp(): Promise<void> {
    if (this.timer !== null) clearTimeout(this.timer);
    const url = this.sessionUrl;
    this.sessionUrl = null;
    if (url === null) return;
    // A session that the server has ended already answers 404, and that is fine.
    await this.fetchThrough(url, { method: "DELETE", headers: this.headers, keepalive: true }).catch(
      () => undefined,
    );
  }

  private get headers(): Record<string, string> {
    return this.options.token === null ? {} : { Authorization: `Bearer ${this.options.token}` };
  }

  private gathered(candidate: RTCIceCandidate | null): void {
    if (candidate?.candidate) this.waiting.push(candidate);
    else this.complete = true;
    this.timer ??= setTimeout(() => void this.trickle(), TRICKLE_BATCH_MS);
  }

  private async trickle(): Promise<void> {
    this.timer = null;
    const local = this.connection.localDescription?.sdp;
    if (this.sessionUrl === null || local === undefined) return;
    const candidates = this.waiting;
    this.waiting = [];
    // A lost fragment is not the end: the server also learns our address from our own connectivity checks.
    await this.fetchThrough(this.sessionUrl, {
      method: "PATCH",
      headers: {
        ...this.headers,
        "Content-Type": "application/trickle-ice-sdpfrag",
        ...(this.etag === null ? {} : { "If-Match": this.etag }),
      },
      body: fragmentOf(local, candidates, this.complete),
    }).catch(() => undefined);
  }

  private async send(url: string, request: RequestInit): Promise<Response> {
    const response = await this.fetchThrough(url, request).catch((error: unknown) => {
      throw request.signal?.aborted === true ? error : Problem.fromFetch(error);
    });
    if (!response.ok) throw await Problem.fromResponse(response);
    return response;
  }
}
