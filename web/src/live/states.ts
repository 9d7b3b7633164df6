import type { BroadcasterState } from "../webrtc/broadcaster";

/** Whether there is a broadcast that goes on, whatever its line and camera do just now. */
export function isOnAir({ kind }: BroadcasterState): boolean {
  return kind === "live" || kind === "camera-lost" || kind === "reconnecting" || kind === "interrupted";
}

/** Whether something is on its way that can still be taken back. */
export function isBusy({ kind }: BroadcasterState): boolean {
  return kind === "opening-camera" || kind === "connecting" || kind === "stopping";
}

/** Whether the person only has to wait. */
export function isWaiting(state: BroadcasterState): boolean {
  if (state.kind === "interrupted") return state.isOpening;
  return isBusy(state) || state.kind === "live" || state.kind === "reconnecting";
}

/** Whether the person is asked to go on with a broadcast that this page carried before. */
export function asksToGoOn(state: BroadcasterState): boolean {
  return state.kind === "interrupted" && !state.isOpening;
}
