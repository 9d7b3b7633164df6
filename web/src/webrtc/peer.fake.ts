/** A peer connection for tests: obeys the order of calls that browsers insist on, and connects when told. */
export class FakePeerConnection extends EventTarget {
  connectionState: RTCPeerConnectionState = "new";
  localDescription: { sdp: string } | null = null;
  configuration: RTCConfiguration;
  readonly diary: string[] = [];
  readonly transceivers: {
    kind: unknown;
    init: RTCRtpTransceiverInit | undefined;
    codecs: string[];
    sender: FakeSender;
  }[] = [];

  constructor(configuration: RTCConfiguration = {}) {
    super();
    this.configuration = configuration;
  }

  addTransceiver(kind: unknown, init?: RTCRtpTransceiverInit) {
    const transceiver = { kind, init, codecs: [] as string[], sender: new FakeSender() };
    this.transceivers.push(transceiver);
    return {
      sender: transceiver.sender,
      setCodecPreferences: (codecs: { mimeType: string }[]) => {
        transceiver.codecs = codecs.map(({ mimeType }) => mimeType);
      },
    };
  }

  /** The DTLS transport that all media share. */
  readonly transport = Object.assign(new EventTarget(), { state: "connected" });

  getTransceivers() {
    return [{ receiver: { transport: this.transport } }];
  }

  hangUp(): void {
    this.transport.state = "closed";
    this.transport.dispatchEvent(new Event("statechange"));
  }

  async createOffer() {
    return {
      type: "offer",
      sdp: "v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:secretsecretsecretsecret\r\na=mid:0\r\n",
    };
  }

  getConfiguration(): RTCConfiguration {
    return this.configuration;
  }

  setConfiguration(configuration: RTCConfiguration): void {
    this.diary.push("configured");
    this.configuration = configuration;
  }

  async setLocalDescription({ sdp }: { sdp: string }) {
    this.diary.push("local");
    this.localDescription = { sdp };
  }

  async setRemoteDescription() {
    if (this.localDescription === null) throw new DOMException("no offer", "InvalidStateError");
    this.diary.push("remote");
  }

  become(state: RTCPeerConnectionState): void {
    this.connectionState = state;
    this.dispatchEvent(new Event("connectionstatechange"));
  }

  gather(candidate: Partial<RTCIceCandidate> | null): void {
    this.dispatchEvent(Object.assign(new Event("icecandidate"), { candidate }));
  }

  close(): void {
    this.connectionState = "closed";
  }

  /** Whether anything comes in. */
  hears = true;
  private bytesReceived = 0;

  async getStats() {
    this.bytesReceived += this.hears ? 100 : 0;
    return new Map([["pair", { type: "candidate-pair", bytesReceived: this.bytesReceived }]]);
  }

  /** The same object with the browser's type. */
  get real(): RTCPeerConnection {
    return this as unknown as RTCPeerConnection;
  }
}

class FakeSender {
  parameters: Record<string, unknown> = { encodings: [{}] };
  readonly tracks: unknown[] = [];

  getParameters() {
    return this.parameters;
  }

  async setParameters(parameters: Record<string, unknown>) {
    this.parameters = parameters;
  }

  async replaceTrack(track: unknown) {
    this.tracks.push(track);
  }
}
