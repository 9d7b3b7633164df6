import { describe, expect, it } from "vitest";
import { iceServersOf } from "./link";

describe("iceServersOf", () => {
  it("reads STUN and TURN servers, as RFC 9725 writes them", () => {
    const links =
      '<stun:stun.example.net>; rel="ice-server", ' +
      '<turn:turn.example.net?transport=udp>; rel="ice-server"; username="user"; credential="my, \\"word\\""; credential-type="password"';
    expect(iceServersOf(links)).toEqual([
      { urls: "stun:stun.example.net" },
      { urls: "turn:turn.example.net?transport=udp", username: "user", credential: 'my, "word"' },
    ]);
  });

  it("passes over links of other kinds and other schemes", () => {
    expect(iceServersOf('</next>; rel="next", <https://example.net>; rel="ice-server"')).toEqual([]);
  });

  it("finds none in an empty header", () => {
    expect(iceServersOf("")).toEqual([]);
  });
});
