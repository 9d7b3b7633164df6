import { describe, expect, it } from "vitest";
import { fragmentOf } from "./fragment";

const SDP =
  "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=ice-ufrag:abcd\r\na=ice-pwd:secretsecretsecretsecret\r\na=mid:v\r\n";
const HOST = "candidate:1 1 udp 2122260223 192.0.2.1 5000 typ host";

describe("fragmentOf", () => {
  it("carries the ICE credentials and each candidate under its mid", () => {
    expect(fragmentOf(SDP, [{ candidate: HOST, sdpMid: "v" }], false).split("\r\n")).toEqual([
      "a=ice-ufrag:abcd",
      "a=ice-pwd:secretsecretsecretsecret",
      "m=video 9 UDP/TLS/RTP/SAVPF 0",
      "a=mid:v",
      `a=${HOST}`,
      "",
    ]);
  });

  it("tells the end of candidates even where none is left to send", () => {
    expect(fragmentOf(SDP, [], true)).toContain("a=mid:v\r\na=end-of-candidates\r\n");
  });

  it("takes over no other line of the description", () => {
    const padded = SDP.replace("a=mid", "a=fingerprint:sha-256 00\r\na=mid");
    expect(fragmentOf(padded, [{ candidate: HOST, sdpMid: "v" }], true)).not.toContain("fingerprint");
  });
});
