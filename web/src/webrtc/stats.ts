/**
 * What `getStats` (W3C webrtc-stats) says about one peer connection over the time since the last look.
 *
 * Times are averages over that interval and null where nothing was counted in it.
 */
export interface PathStats {
  roundTripMs: number | null;
  fps: number | null;
  /** Sender: capture to encoded. */
  encodeMs: number | null;
  /** Receiver: from the first packet of a picture to the picture leaving the jitter buffer. */
  bufferMs: number | null;
  decodeMs: number | null;
  lostPackets: number;
  size: string | null;
}

type Counters = Record<string, unknown>;

/** Turns successive reports of one peer connection into stats. */
export class PathMeter {
  private previous: Counters = {};

  read(report: RTCStatsReport | ReadonlyMap<string, unknown>): PathStats {
    const all = [...report.values()] as Counters[];
    const rtp =
      all.find(({ type, kind }) => (type === "inbound-rtp" || type === "outbound-rtp") && kind === "video") ??
      {};
    const before = this.previous;
    this.previous = rtp;
    const grown = (name: string) => number(rtp[name]) - number(before[name]);
    const average = (sum: string, count: string) => {
      const events = grown(count);
      return events > 0 ? (1000 * grown(sum)) / events : null;
    };
    const { frameWidth, frameHeight } = rtp;
    return {
      roundTripMs: roundTrip(all),
      fps: typeof rtp.framesPerSecond === "number" ? rtp.framesPerSecond : null,
      encodeMs: average("totalEncodeTime", "framesEncoded"),
      bufferMs: average("jitterBufferDelay", "jitterBufferEmittedCount"),
      decodeMs: average("totalDecodeTime", "framesDecoded"),
      lostPackets: number(rtp.packetsLost),
      size: frameWidth && frameHeight ? `${frameWidth} × ${frameHeight}` : null,
    };
  }
}

/**
 * Estimate the time from camera to a viewer's screen.
 *
 * encode + half the publisher's round trip + the server's own delay (last packet of a picture to its treated
 * packets) + half the viewer's round trip + the viewer's jitter buffer + decode. Both halves stand for the one-way
 * trips, which are not known without a common clock. Not in it, because no page can see them: the camera's exposure
 * and read-out, and the wait for the screen's next refresh (together about 30 to 60 ms).
 *
 * @returns Milliseconds, or null until the server and the viewer's buffer have been measured.
 */
export function estimateDelay(up: PathStats, serverMs: number | null, down: PathStats): number | null {
  if (serverMs === null || down.bufferMs === null) return null;
  const trips = ((up.roundTripMs ?? 0) + (down.roundTripMs ?? 0)) / 2;
  return (up.encodeMs ?? 0) + trips + serverMs + down.bufferMs + (down.decodeMs ?? 0);
}

function roundTrip(all: readonly Counters[]): number | null {
  const pair = all.find(
    ({ type, nominated, state }) => type === "candidate-pair" && nominated && state === "succeeded",
  );
  const seconds = pair?.currentRoundTripTime;
  return typeof seconds === "number" ? 1000 * seconds : null;
}

function number(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
