import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakePeerConnection } from "./peer.fake";
import { Signalling } from "./signalling";

const HOST = { candidate: "candidate:1 1 udp 2122260223 192.0.2.1 5000 typ host", sdpMid: "0" };

/** Signalling to a server that answers offers with `answer` and keeps what it was sent. */
function signalling(answer: () => Response, token: string | null = "secret") {
  const sent: { method: string; url: string; headers: Headers; body: string; keepalive: boolean }[] = [];
  const connection = new FakePeerConnection();
  const session = new Signalling(connection.real, {
    token,
    fetchThrough: async (url, { method = "GET", headers, body, keepalive = false }) => {
      sent.push({
        method,
        url: String(url),
        headers: new Headers(headers),
        body: String(body ?? ""),
        keepalive,
      });
      return method === "POST" ? answer() : new Response(null, { status: 204 });
    },
  });
  const open = new AbortController();
  return { connection, session, sent, negotiate: () => session.negotiate("/whip/b", open.signal), open };
}

const created = (headers: Record<string, string> = {}) =>
  new Response("v=0", { status: 201, headers: { Location: "/whip/b/s", ETag: '"e1"', ...headers } });

describe("Signalling", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("posts the offer as SDP with the bearer token", async () => {
    const { negotiate, sent } = signalling(created);
    await negotiate();
    expect(sent[0]).toMatchObject({ method: "POST", url: "/whip/b" });
    expect(sent[0]?.headers.get("Content-Type")).toBe("application/sdp");
    expect(sent[0]?.headers.get("Authorization")).toBe("Bearer secret");
  });

  it("sends a viewer's offer without any token", async () => {
    const { negotiate, sent } = signalling(created, null);
    await negotiate();
    expect(sent[0]?.headers.has("Authorization")).toBe(false);
  });

  it("has the server's ICE servers in place before the browser gathers", async () => {
    const link = '<turn:turn.example.net>; rel="ice-server"; username="u"; credential="c"';
    const { negotiate, connection } = signalling(() => created({ Link: link }));
    connection.configuration = { bundlePolicy: "max-bundle", iceTransportPolicy: "relay" };
    await negotiate();
    expect(connection.diary).toEqual(["configured", "local", "remote"]);
    expect(connection.configuration).toMatchObject({
      bundlePolicy: "max-bundle",
      iceTransportPolicy: "relay",
    });
    expect(connection.configuration.iceServers).toEqual([
      { urls: "turn:turn.example.net", username: "u", credential: "c" },
    ]);
  });

  it("trickles the candidates of a moment together, with the session's ETag", async () => {
    const { negotiate, connection, sent } = signalling(created);
    await negotiate();
    connection.gather(HOST);
    connection.gather(HOST);
    connection.gather(null);
    await vi.advanceTimersByTimeAsync(100);
    const patches = sent.filter(({ method }) => method === "PATCH");
    expect(patches).toHaveLength(1);
    expect(new URL(patches[0]?.url ?? "").pathname).toBe("/whip/b/s");
    expect(patches[0]?.headers.get("If-Match")).toBe('"e1"');
    expect(patches[0]?.body.match(/a=candidate/g)).toHaveLength(2);
    expect(patches[0]?.body).toContain("a=end-of-candidates");
  });

  it("throws the server's problem and opens no session", async () => {
    const refusal = () => new Response(JSON.stringify({ code: "live.taken" }), { status: 409 });
    const { negotiate, session, sent } = signalling(refusal);
    await expect(negotiate()).rejects.toMatchObject({ code: "live.taken" });
    await session.hangUp();
    expect(sent.map(({ method }) => method)).toEqual(["POST"]);
  });

  it("does not accept an answer that names no session", async () => {
    const { negotiate } = signalling(() => new Response("v=0", { status: 201 }));
    await expect(negotiate()).rejects.toMatchObject({ code: "unknown" });
  });

  it("deletes the session once, in a request that outlives the page", async () => {
    const { negotiate, session, sent } = signalling(created);
    await negotiate();
    await session.hangUp();
    await session.hangUp();
    const deletes = sent.filter(({ method }) => method === "DELETE");
    expect(deletes).toHaveLength(1);
    expect(deletes[0]).toMatchObject({ keepalive: true });
    expect(deletes[0]?.headers.get("Authorization")).toBe("Bearer secret");
  });

  it("sends no candidate after the end", async () => {
    const { negotiate, session, connection, sent } = signalling(created);
    await negotiate();
    connection.gather(HOST);
    await session.hangUp();
    await vi.advanceTimersByTimeAsync(200);
    expect(sent.map(({ method }) => method)).toEqual(["POST", "DELETE"]);
  });
});
