import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakePeerConnection } from "./peer.fake";
import { h264First, WhipSession } from "./whip";

function streamOf(...kinds: ("video" | "audio")[]) {
  const tracks = kinds.map((kind) => ({ kind, contentHint: "" }));
  return {
    getVideoTracks: () => tracks.filter(({ kind }) => kind === "video"),
    getAudioTracks: () => tracks.filter(({ kind }) => kind === "audio"),
  } as unknown as MediaStream;
}

async function published(stream: MediaStream) {
  const connection = new FakePeerConnection();
  const session = new WhipSession(
    {
      token: "t",
      fetchThrough: async () => new Response("v=0", { status: 201, headers: { Location: "/whip/b/s" } }),
    },
    () => undefined,
    () => connection.real,
  );
  const opening = session.open("/whip/b", stream);
  const answered = vi.waitFor(() => expect(connection.diary).toContain("remote"));
  await Promise.race([opening, answered]);
  connection.become("connected");
  await opening;
  return { connection, session };
}

describe("WhipSession", () => {
  beforeEach(() => {
    const codecs = ["video/VP8", "video/rtx", "video/H264", "video/VP9"].map((mimeType) => ({ mimeType }));
    vi.stubGlobal("RTCRtpReceiver", { getCapabilities: () => ({ codecs }) });
  });
  afterEach(() => void vi.unstubAllGlobals());

  it("prefers H.264 and keeps every other codec as a way out", async () => {
    const { connection } = await published(streamOf("video", "audio"));
    expect(connection.transceivers[0]?.codecs).toEqual(["video/H264", "video/VP8", "video/rtx", "video/VP9"]);
  });

  it("bounds the bit rate, and drops frames rather than lines", async () => {
    const stream = streamOf("video", "audio");
    const { connection } = await published(stream);
    const video = connection.transceivers[0];
    expect(video?.init?.sendEncodings).toEqual([{ maxBitrate: 2_500_000, maxFramerate: 30 }]);
    expect(video?.sender.parameters).toMatchObject({ degradationPreference: "maintain-resolution" });
    expect(stream.getVideoTracks()[0]?.contentHint).toBe("motion");
  });

  it("sends fewer frames when told to, and changes nothing else", async () => {
    const { connection, session } = await published(streamOf("video", "audio"));
    const sender = connection.transceivers[0]?.sender;
    if (sender === undefined) throw new Error("no sender");
    sender.parameters = { ...sender.parameters, encodings: [{ maxBitrate: 2_500_000, maxFramerate: 30 }] };
    await session.limitFps(19);
    expect(sender.parameters).toMatchObject({
      encodings: [{ maxBitrate: 2_500_000, maxFramerate: 19 }],
      degradationPreference: "maintain-resolution",
    });
  });

  it("only sends, sound too, even where the microphone comes later", async () => {
    const { connection, session } = await published(streamOf("video"));
    expect(connection.transceivers.map(({ init }) => init?.direction)).toEqual(["sendonly", "sendonly"]);
    expect(connection.transceivers[1]?.kind).toBe("audio");
    const louder = streamOf("video", "audio");
    await session.replace(louder);
    expect(connection.transceivers[1]?.sender.tracks).toEqual(louder.getAudioTracks());
  });

  it("falls silent when the microphone is taken away", async () => {
    const { connection, session } = await published(streamOf("video", "audio"));
    await session.replace(streamOf("video"));
    expect(connection.transceivers[1]?.sender.tracks).toEqual([null]);
  });

  it("refuses a stream without a picture", async () => {
    await expect(published(streamOf("audio"))).rejects.toThrow("video track");
  });
});

describe("h264First", () => {
  it("changes no order but H.264's", () => {
    const codecs = ["a", "VIDEO/H264", "b"].map((mimeType) => ({ mimeType }));
    expect(h264First(codecs).map(({ mimeType }) => mimeType)).toEqual(["VIDEO/H264", "a", "b"]);
  });
});
