import { describe, expect, it } from "vitest";
import { hiding, swapping, treatmentOf } from "./policy";

describe("a policy", () => {
  it("hides everybody, looking as was chosen", () => {
    expect(hiding()).toEqual({
      version: 1,
      rules: [{ subject: { kind: "everyone" }, treatment: { kind: "mosaic" } }],
    });
    expect(hiding({ style: "blur" }).rules).toEqual([
      { subject: { kind: "everyone" }, treatment: { kind: "mosaic", style: "blur" } },
    ]);
  });

  it("gives one person the persona and hides the others", () => {
    const fallback = { kind: "mosaic", shape: "head" };
    expect(swapping("mask:volto", "primary", { shape: "head" }).rules).toEqual([
      { subject: { kind: "primary" }, treatment: { kind: "swap", persona: "mask:volto", fallback } },
      { subject: { kind: "everyone" }, treatment: fallback },
    ]);
  });

  it("gives everyone the persona, and says how they look where it cannot be drawn", () => {
    const fallback = { kind: "mosaic", style: "solid" };
    expect(swapping("mask:volto", "everyone", { style: "solid" }).rules).toEqual([
      { subject: { kind: "everyone" }, treatment: { kind: "swap", persona: "mask:volto", fallback } },
    ]);
  });

  it("is called a swap as soon as anybody gets a persona", () => {
    expect(treatmentOf(hiding())).toBe("mosaic");
    expect(treatmentOf({ version: 1 })).toBe("mosaic");
    expect(treatmentOf(swapping("mask:volto", "primary"))).toBe("swap");
    expect(treatmentOf(swapping("mask:volto", "everyone"))).toBe("swap");
  });
});
