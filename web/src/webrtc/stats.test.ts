import { describe, expect, it } from "vitest";
import { estimateDelay, PathMeter, type PathStats } from "./stats";

const report = (...stats: Record<string, unknown>[]) =>
  new Map(stats.map((entry, index) => [String(index), entry]));
const pair = { type: "candidate-pair", nominated: true, state: "succeeded", currentRoundTripTime: 0.02 };
const inbound = (more: Record<string, unknown>) => ({ type: "inbound-rtp", kind: "video", ...more });

describe("PathMeter", () => {
  it("averages over the time since the last look, not since the start", () => {
    const meter = new PathMeter();
    meter.read(report(inbound({ jitterBufferDelay: 10, jitterBufferEmittedCount: 10 })));
    const second = meter.read(report(inbound({ jitterBufferDelay: 10.9, jitterBufferEmittedCount: 40 })));
    expect(second.bufferMs).toBeCloseTo(30);
  });

  it("says null, not zero, where nothing was counted", () => {
    const stats = new PathMeter().read(report(inbound({ framesDecoded: 0, totalDecodeTime: 0 })));
    expect(stats).toMatchObject({ decodeMs: null, roundTripMs: null, fps: null, size: null });
  });

  it("takes the round trip of the pair in use and passes over the others", () => {
    const idle = { ...pair, nominated: false, currentRoundTripTime: 9 };
    expect(new PathMeter().read(report(idle, pair)).roundTripMs).toBe(20);
  });

  it("reads the video's counters, not the sound's", () => {
    const sound = { type: "inbound-rtp", kind: "audio", packetsLost: 5 };
    const stats = new PathMeter().read(
      report(sound, inbound({ packetsLost: 2, frameWidth: 1280, frameHeight: 720, framesPerSecond: 29 })),
    );
    expect(stats).toMatchObject({ lostPackets: 2, size: "1280 × 720", fps: 29 });
  });
});

describe("estimateDelay", () => {
  const stats = (more: Partial<PathStats>): PathStats => ({
    roundTripMs: null,
    fps: null,
    encodeMs: null,
    bufferMs: null,
    decodeMs: null,
    lostPackets: 0,
    size: null,
    ...more,
  });

  it("adds encode, two one-way trips, the server, the buffer and decode", () => {
    const up = stats({ encodeMs: 8, roundTripMs: 20 });
    const down = stats({ bufferMs: 30, decodeMs: 4, roundTripMs: 10 });
    expect(estimateDelay(up, 40, down)).toBe(8 + 10 + 40 + 5 + 30 + 4);
  });

  it("claims nothing before the server and the buffer were measured", () => {
    expect(estimateDelay(stats({}), null, stats({ bufferMs: 30 }))).toBeNull();
    expect(estimateDelay(stats({}), 40, stats({}))).toBeNull();
  });
});
