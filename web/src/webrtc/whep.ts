import { type MakeConnection, Peer } from "./peer";
import type { SignallingOptions } from "./signalling";

/** One viewer's session: treated picture and sound from the server (WHEP). */
export class WhepSession {
  /** Fills with tracks as they come; can be shown from the beginning. */
  readonly stream = new MediaStream();
  private readonly peer: Peer;

  constructor(options: SignallingOptions, onLost: () => void, make?: MakeConnection) {
    this.peer = new Peer(options, onLost, make);
    this.peer.connection.addEventListener("track", ({ track }) => this.stream.addTrack(track));
  }

  async open(endpoint: string, { sound = true } = {}): Promise<void> {
    this.peer.connection.addTransceiver("video", { direction: "recvonly" });
    if (sound) this.peer.connection.addTransceiver("audio", { direction: "recvonly" });
    await this.peer.connect(endpoint);
  }

  stats(): Promise<RTCStatsReport> {
    return this.peer.connection.getStats();
  }

  close(): Promise<void> {
    return this.peer.close();
  }
}
