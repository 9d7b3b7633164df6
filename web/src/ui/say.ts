import type { TFunction } from "i18next";
import type { Problem } from "../api/problem";
import { en } from "../i18n/en";
import { type BrowserKind, browserKind } from "../webrtc/browser-kind";
import type { CameraError } from "../webrtc/camera";

export type ProblemCode = keyof (typeof en)["problems"];

/** Say a problem in the page's language; a code we have no words for is said in those of its nearest parent. */
export function sayProblem(t: TFunction, { code, status }: Pick<Problem, "code" | "status">): string {
  for (let name = code; name !== ""; name = parent(name)) {
    if (isKnown(name)) return t(`problems.${name}`);
  }
  return t(status === 422 || status === 400 ? "problems.invalid" : "problems.unknown");
}

/** Say why a connection is lost, and when it is tried again. */
export function sayRetry(
  t: TFunction,
  { problem, atMs }: { problem: Problem; atMs: number | null },
  nowMs: number = Date.now(),
): string {
  const seconds = atMs === null ? 0 : Math.ceil((atMs - nowMs) / 1000);
  return `${sayProblem(t, problem)} ${seconds > 0 ? t("retryIn", { seconds }) : t("retrying")}`;
}

/** Say what is wrong with a camera or a microphone, and what to do about it. */
export function sayCamera(
  t: TFunction,
  { fault }: CameraError,
  browser: BrowserKind = browserKind(),
): { what: string; advice: string } {
  return { what: t(`camera.${fault}`), advice: adviceOn(t, fault, browser) };
}

function adviceOn(t: TFunction, fault: CameraError["fault"], browser: BrowserKind): string {
  switch (fault) {
    case "denied":
      return t(`camera.allowIn.${browser}`);
    case "microphoneDenied":
      return `${t(`camera.allowIn.${browser}`)} ${t("camera.orSilent")}`;
    case "insecure":
      return t("camera.insecureMore", { host: location.host });
    default:
      return t(`camera.${fault}More`);
  }
}

function parent(code: string): string {
  return code.slice(0, Math.max(0, code.lastIndexOf(".")));
}

function isKnown(code: string): code is ProblemCode {
  return Object.hasOwn(en.problems, code);
}
