import { describe, expect, it } from "vitest";
import { FramePace, MAX_FPS } from "./frame-pace";

/** A server that treats at most `most` frames a second, told of once a second. */
function play(pace: FramePace, seconds: number, most: number, sinceS = 0): number[] {
  let fps = pace.heard({ fps_in: 0, fps_out: 0 }, sinceS * 1000);
  return Array.from({ length: seconds }, (_, second) => {
    fps = pace.heard({ fps_in: fps, fps_out: Math.min(fps, most) }, (sinceS + second) * 1000);
    return fps;
  });
}

describe("FramePace", () => {
  it("sends all to a server that keeps up", () => {
    expect(new Set(play(new FramePace(), 60, 60))).toEqual(new Set([MAX_FPS]));
  });

  it("sends little more than what comes out of a slow one", () => {
    const sent = play(new FramePace(), 20, 19);
    expect(new Set(sent.slice(0, 8))).toEqual(new Set([MAX_FPS]));
    expect(Math.min(...sent)).toBe(22);
  });

  it("never asks for a slide show", () => {
    expect(Math.min(...play(new FramePace(), 60, 4))).toBe(15);
  });

  it("tries more after a while, and more and more seldom while that is in vain", () => {
    const sent = play(new FramePace(), 200, 19);
    const raises = sent.flatMap((fps, i) => (i > 0 && fps > (sent[i - 1] ?? fps) ? [i] : []));
    const waits = raises.slice(1).map((at, i) => at - (raises[i] ?? at));
    expect(raises.length).toBeGreaterThan(2);
    expect(waits).toEqual([...waits].sort((a, b) => a - b));
    expect(waits.at(-1)).toBeGreaterThan(30);
  });

  it("is back at all when the server has time again", () => {
    const pace = new FramePace();
    play(pace, 20, 16);
    expect(play(pace, 45, 60, 20).at(-1)).toBe(MAX_FPS);
  });

  it("bears a moment's shortage, and a server that hears nothing", () => {
    const pace = new FramePace();
    for (const at of [0, 10_000, 12_000]) expect(pace.heard({ fps_in: 30, fps_out: 12 }, at)).toBe(MAX_FPS);
    expect(pace.heard({ fps_in: 30, fps_out: 29 }, 13_000)).toBe(MAX_FPS);
    for (const at of [14_000, 20_000, 40_000])
      expect(pace.heard({ fps_in: 0, fps_out: 0 }, at)).toBe(MAX_FPS);
  });
});
