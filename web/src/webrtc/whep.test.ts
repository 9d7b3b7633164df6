import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakePeerConnection } from "./peer.fake";
import { WhepSession } from "./whep";

class FakeStream {
  readonly tracks: unknown[] = [];
  addTrack(track: unknown) {
    this.tracks.push(track);
  }
}

async function watching(sound: boolean) {
  const connection = new FakePeerConnection();
  const session = new WhepSession(
    {
      token: null,
      fetchThrough: async () => new Response("v=0", { status: 201, headers: { Location: "/whep/b/s" } }),
    },
    () => undefined,
    () => connection.real,
  );
  const opening = session.open("/whep/b", { sound });
  await vi.waitFor(() => expect(connection.diary).toContain("remote"));
  connection.become("connected");
  await opening;
  return { connection, session };
}

describe("WhepSession", () => {
  beforeEach(() => void vi.stubGlobal("MediaStream", FakeStream));
  afterEach(() => void vi.unstubAllGlobals());

  it("only receives: picture and sound", async () => {
    const { connection } = await watching(true);
    expect(connection.transceivers.map(({ kind, init }) => [kind, init?.direction])).toEqual([
      ["video", "recvonly"],
      ["audio", "recvonly"],
    ]);
  });

  it("asks for no sound where none is to be heard", async () => {
    const { connection } = await watching(false);
    expect(connection.transceivers.map(({ kind }) => kind)).toEqual(["video"]);
  });

  it("collects the tracks in one stream, whatever streams the server names", async () => {
    const { connection, session } = await watching(true);
    connection.dispatchEvent(Object.assign(new Event("track"), { track: "picture" }));
    connection.dispatchEvent(Object.assign(new Event("track"), { track: "sound" }));
    expect((session.stream as unknown as FakeStream).tracks).toEqual(["picture", "sound"]);
  });
});
