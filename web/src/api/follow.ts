import { Backoff, sleep } from "../webrtc/retry";
import type { Api, Broadcast } from "./client";
import { below } from "./place";
import { Problem } from "./problem";

const POLL_MS = 2_000;
/** The server tells something every second; so long a silence means that the socket leads nowhere. */
const SILENCE_MS = 4_000;
/** The server's code for closing a socket that asks for a broadcast it does not know. */
const UNKNOWN_BROADCAST = 4404;

export interface FollowOptions {
  api: Pick<Api, "broadcast">;
  /** The broadcast's own: its owner is also told what became of each face. */
  token?: string;
  /** Called with what the broadcast has become, and with null, as the last call, once there is none any more. */
  hear: (broadcast: Broadcast | null) => void;
  signal: AbortSignal;
  openSocket?: (url: string) => WebSocket;
  backoff?: Backoff;
}

type Outcome = "over" | "lost";

/**
 * Follow a broadcast until it is over or `signal` aborts.
 *
 * News comes over a WebSocket. Where that cannot be had, as behind some proxies, the page asks every two seconds
 * instead, and tries the socket again after longer and longer waits.
 */
export async function follow(id: string, options: FollowOptions): Promise<void> {
  const { signal, hear } = options;
  const openSocket = options.openSocket ?? ((url) => new WebSocket(url));
  const backoff = options.backoff ?? new Backoff();
  const url = new URL(below(`/api/broadcasts/${encodeURIComponent(id)}/events`), location.href);
  url.protocol = url.protocol.replace("http", "ws");
  while (!signal.aborted) {
    const since = performance.now();
    let outcome = await listen(openSocket(url.href), options);
    backoff.stood(performance.now() - since);
    if (outcome === "lost") outcome = await ask(id, options, backoff.nextMs());
    if (outcome === "over") {
      if (!signal.aborted) hear(null);
      return;
    }
  }
}

/** Pass on what comes through `socket` until it is lost or says that the broadcast is over. */
function listen(socket: WebSocket, { hear, signal, token }: FollowOptions): Promise<Outcome> {
  return new Promise((resolve) => {
    const done = new AbortController();
    const finish = (outcome: Outcome) => {
      clearTimeout(silence);
      done.abort();
      socket.close();
      resolve(outcome);
    };
    const listenForSilence = () => setTimeout(() => finish("lost"), SILENCE_MS);
    let silence = listenForSilence();
    const until = { signal: done.signal };
    if (token !== undefined)
      socket.addEventListener("open", () => socket.send(JSON.stringify({ kind: "owner", token })), until);
    socket.addEventListener(
      "message",
      ({ data }) => {
        clearTimeout(silence);
        silence = listenForSilence();
        const broadcast = JSON.parse(data) as Broadcast;
        if (broadcast.state === "ended") finish("over");
        else hear(broadcast);
      },
      until,
    );
    socket.addEventListener(
      "close",
      ({ code }) => finish(code === UNKNOWN_BROADCAST ? "over" : "lost"),
      until,
    );
    signal.addEventListener("abort", () => finish("lost"), until);
  });
}

/** Ask for the broadcast every two seconds, for a while. */
async function ask(id: string, { api, hear, signal, token }: FollowOptions, forMs: number): Promise<Outcome> {
  const until = performance.now() + forMs;
  while (!signal.aborted && performance.now() < until) {
    try {
      const broadcast = await api.broadcast(id, token);
      if (!signal.aborted) hear(broadcast);
    } catch (error) {
      if (Problem.from(error).isOver) return "over";
      // A question that fails on its way says nothing about the picture, which has a path of its own.
    }
    await sleep(Math.min(POLL_MS, until - performance.now()), signal);
  }
  return "lost";
}
