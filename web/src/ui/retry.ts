import type { Problem } from "../api/problem";
import type { Messages } from "../i18n/en";

/** Say why a connection is lost, and when it is tried again. */
export function sayRetry(
  { problem, atMs }: { problem: Problem; atMs: number | null },
  messages: Messages,
): string {
  const seconds = atMs === null ? 0 : Math.ceil((atMs - Date.now()) / 1000);
  return `${problem.say(messages)} ${seconds > 0 ? messages.retryIn(seconds) : messages.retrying}`;
}
