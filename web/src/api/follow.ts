import { sleep } from "../webrtc/retry";
import type { Broadcast } from "./client";
import { Problem } from "./problem";

const POLL_MS = 2_000;

/** What is known of a broadcast, again and again until `signal` aborts. Throws a `Problem` where it is over. */
export type Follow = (signal: AbortSignal) => AsyncIterable<Broadcast>;

/** Follow a broadcast by asking for it every two seconds. */
export function polling(look: () => Promise<Broadcast>): Follow {
  return async function* follow(signal) {
    while (!signal.aborted) {
      const broadcast = await lookOnce(look);
      if (broadcast !== null) yield broadcast;
      await sleep(POLL_MS, signal);
    }
  };
}

/** A look that fails on its way says nothing about the picture, which has a path of its own. */
async function lookOnce(look: () => Promise<Broadcast>): Promise<Broadcast | null> {
  try {
    return await look();
  } catch (error) {
    const problem = Problem.from(error);
    if (problem.retryable) return null;
    throw problem;
  }
}
