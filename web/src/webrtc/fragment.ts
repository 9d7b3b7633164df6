/** Write the ICE candidates of a local description as a trickle fragment (RFC 8840, 9). */
export function fragmentOf(
  localSdp: string,
  candidates: readonly Pick<RTCIceCandidate, "candidate" | "sdpMid">[],
  complete: boolean,
): string {
  const line = (name: string) => localSdp.match(new RegExp(`^a=${name}:.*$`, "m"))?.[0].trim();
  const mids = new Set(candidates.map(({ sdpMid }) => sdpMid ?? "0"));
  // All media share one BUNDLE, so the end of candidates is told once, for its first section.
  if (complete && mids.size === 0) mids.add(line("mid")?.slice("a=mid:".length) ?? "0");
  const sections = [...mids].flatMap((mid) => [
    "m=video 9 UDP/TLS/RTP/SAVPF 0",
    `a=mid:${mid}`,
    ...candidates.filter(({ sdpMid }) => (sdpMid ?? "0") === mid).map(({ candidate }) => `a=${candidate}`),
    ...(complete ? ["a=end-of-candidates"] : []),
  ]);
  return `${[line("ice-ufrag"), line("ice-pwd"), ...sections].filter(Boolean).join("\r\n")}\r\n`;
}
