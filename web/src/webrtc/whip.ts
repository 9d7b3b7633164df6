import { MAX_FPS } from "./frame-pace";
import { type MakeConnection, Peer } from "./peer";
import type { SignallingOptions } from "./signalling";

/** Enough for 720p30; the server's answer may allow less. */
const MAX_VIDEO_BPS = 2_500_000;

/** One publisher's session: camera and microphone to the server (WHIP, RFC 9725). */
export class WhipSession {
  private readonly peer: Peer;
  private video: RTCRtpSender | null = null;
  private audio: RTCRtpSender | null = null;

  constructor(options: SignallingOptions, onLost: () => void, make?: MakeConnection) {
    this.peer = new Peer(options, onLost, make);
  }

  async open(endpoint: string, stream: MediaStream): Promise<void> {
    const [video] = stream.getVideoTracks();
    if (video === undefined) throw new TypeError("a publisher needs a video track");
    this.video = this.addVideo(video, stream);
    // The section is there without a microphone too, so that one can be chosen later without a new offer.
    const [audio] = stream.getAudioTracks();
    const transceiver = this.peer.connection.addTransceiver(audio ?? "audio", {
      direction: "sendonly",
      streams: [stream],
    });
    this.audio = transceiver.sender;
    await this.peer.connect(endpoint);
    await this.preferResolution();
  }

  /** Send the tracks of another stream from now on; null sound is silence. */
  async replace(stream: MediaStream): Promise<void> {
    const [video] = stream.getVideoTracks();
    if (video !== undefined) video.contentHint = "motion";
    await this.video?.replaceTrack(video ?? null);
    await this.audio?.replaceTrack(stream.getAudioTracks()[0] ?? null);
  }

  /** Send at most so many frames a second from now on. */
  async limitFps(fps: number): Promise<void> {
    const parameters = this.video?.getParameters();
    const [encoding] = parameters?.encodings ?? [];
    if (this.video === null || parameters === undefined || encoding === undefined) return;
    if (encoding.maxFramerate === fps) return;
    encoding.maxFramerate = fps;
    await this.video.setParameters(parameters).catch(() => undefined);
  }

  stats(): Promise<RTCStatsReport> {
    return this.peer.connection.getStats();
  }

  close(): Promise<void> {
    return this.peer.close();
  }

  private addVideo(track: MediaStreamTrack, stream: MediaStream): RTCRtpSender {
    track.contentHint = "motion";
    const transceiver = this.peer.connection.addTransceiver(track, {
      direction: "sendonly",
      streams: [stream],
      sendEncodings: [{ maxBitrate: MAX_VIDEO_BPS, maxFramerate: MAX_FPS }],
    });
    const codecs = RTCRtpReceiver.getCapabilities("video")?.codecs ?? [];
    transceiver.setCodecPreferences(h264First(codecs));
    return transceiver.sender;
  }

  /**
   * A face that shrinks to 180 lines cannot be found again, so keep the lines and drop frames.
   *
   * Set after the negotiation because Firefox has no encodings to set it on before.
   */
  private async preferResolution(): Promise<void> {
    const sender = this.video;
    if (sender === null) return;
    const parameters: RTCRtpSendParameters & { degradationPreference?: string } = sender.getParameters();
    parameters.degradationPreference = "maintain-resolution";
    // A browser without the setting refuses it; its own choice is then good enough.
    await sender.setParameters(parameters).catch(() => undefined);
  }
}

/** H.264 takes a browser two thirds of the time of VP8, and next to none where the machine has an encoder for it. */
export function h264First<T extends { mimeType: string }>(codecs: readonly T[]): T[] {
  const isH264 = ({ mimeType }: T) => mimeType.toLowerCase() === "video/h264";
  return [...codecs.filter(isH264), ...codecs.filter((codec) => !isH264(codec))];
}
