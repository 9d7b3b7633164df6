import { describe, expect, it } from "vitest";
import { Problem } from "../api/problem";
import { en } from "../i18n/en";
import { startI18n } from "../i18n/i18n";
import { ko } from "../i18n/ko";
import { CameraError, type CameraFault } from "../webrtc/camera";
import { sayCamera, sayProblem, sayRetry } from "./say";

const english = startI18n("en").t;
const korean = startI18n("ko").t;

describe("sayProblem", () => {
  it("says a problem in the page's language", () => {
    const problem = new Problem("photo.no_face", 422);
    expect(sayProblem(english, problem)).toBe(en.problems["photo.no_face"]);
    expect(sayProblem(korean, problem)).toBe(ko.problems["photo.no_face"]);
  });

  it("speaks of the nearest parent where it has no words for a code", () => {
    expect(sayProblem(english, new Problem("live.brand.new", 409))).toBe(en.problems.live);
  });

  it("is not fooled by names that every object has", () => {
    expect(sayProblem(english, new Problem("constructor", 500))).toBe(en.problems.unknown);
  });
});

describe("sayRetry", () => {
  const problem = new Problem("network", 0);

  it("counts down to the next try, and says when it is made", () => {
    expect(sayRetry(english, { problem, atMs: 4_200 }, 1_000)).toMatch(/Trying again in 4\u00a0s\.$/);
    expect(sayRetry(english, { problem, atMs: null }, 1_000)).toMatch(/Trying again now\.$/);
  });
});

describe("sayCamera", () => {
  it.each<CameraFault>([
    "denied",
    "dismissed",
    "system",
    "forbidden",
    "missing",
    "busy",
    "unfit",
    "insecure",
    "unsupported",
    "failed",
    "microphoneDenied",
    "microphoneBusy",
    "microphoneFailed",
  ])("says %s and what helps in both languages", (fault) => {
    for (const t of [english, korean]) {
      const { what, advice } = sayCamera(t, new CameraError(fault), "firefox");
      expect(what).not.toMatch(/^camera\./);
      expect(advice).not.toMatch(/^camera\./);
      expect(what).not.toBe(advice);
    }
  });

  it("names the place in this browser", () => {
    const said = (kind: "firefox" | "ios") => sayCamera(english, new CameraError("denied"), kind).advice;
    expect(said("firefox")).not.toBe(said("ios"));
  });
});
