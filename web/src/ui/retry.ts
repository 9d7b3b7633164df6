import type { Problem } from "../api/problem";
import type { Words } from "../i18n/en";

/** Say why a connection is lost, and when it is tried again. */
export function sayRetry({ problem, atMs }: { problem: Problem; atMs: number | null }, words: Words): string {
  const seconds = atMs === null ? 0 : Math.ceil((atMs - Date.now()) / 1000);
  return `${problem.say(words)} ${seconds > 0 ? words.retryIn(seconds) : words.retrying}`;
}
