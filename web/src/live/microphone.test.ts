import { describe, expect, it } from "vitest";
import { levelOf } from "./microphone";

const tone = (amplitude: number) =>
  Float32Array.from({ length: 2048 }, (_, i) => amplitude * Math.sin(i / 5));

describe("levelOf", () => {
  it("is nothing for silence and rises with the loudness", () => {
    expect(levelOf(new Float32Array(2048))).toBe(0);
    const levels = [0.001, 0.01, 0.1, 1].map((amplitude) => levelOf(tone(amplitude)));
    expect(levels).toEqual([...levels].sort((a, b) => a - b));
    expect(levels.at(-1)).toBeLessThanOrEqual(1);
  });

  it("is a scale of decibels: a tenth of the amplitude is a third of the scale less", () => {
    expect(levelOf(tone(1)) - levelOf(tone(0.1))).toBeCloseTo(20 / 60, 3);
  });
});
