import type { Api } from "../api/client";
import { follow } from "../api/follow";
import { Store } from "../state/store";
import { PathMeter, type PathStats } from "../webrtc/stats";
import { Viewer, type ViewerState } from "../webrtc/viewer";

const FIGURES_MS = 1_000;

export interface Watched {
  viewer: ViewerState;
  title: string;
  /** How many watch; null before it is known, and once it is not any more. */
  viewers: number | null;
  /** Whether there was a picture before: a broadcast that waits is then interrupted. */
  wasLive: boolean;
}

/** Watches one broadcast: its state, its stream and what the connection measures, for whoever shows them. */
export class WatchController {
  readonly watched = new Store<Watched>({
    viewer: { kind: "connecting" },
    title: "",
    viewers: null,
    wasLive: false,
  });
  readonly stream = new Store<MediaStream | null>(null);
  readonly figures = new Store<PathStats | null>(null);
  private meter = new PathMeter();
  private readonly viewer: Pick<Viewer, "run" | "heard" | "stats" | "close">;

  constructor(
    private readonly api: Pick<Api, "broadcast">,
    private readonly broadcastId: string,
    makeViewer: (options: ConstructorParameters<typeof Viewer>[0]) => typeof this.viewer = (options) =>
      new Viewer(options),
  ) {
    this.viewer = makeViewer({
      whepUrl: `/whep/${encodeURIComponent(broadcastId)}`,
      sound: true,
      onState: (state) => this.enter(state),
      onStream: (stream) => {
        this.meter = new PathMeter();
        this.stream.set(stream);
      },
    });
  }

  /** Watch until the page is left. */
  run(): void {
    const leaving = new AbortController();
    void this.viewer.run();
    void follow(this.broadcastId, {
      api: this.api,
      hear: (broadcast) => this.viewer.heard(broadcast),
      signal: leaving.signal,
    });
    setInterval(() => void this.measure(), FIGURES_MS);
    window.addEventListener("pagehide", () => {
      leaving.abort();
      void this.viewer.close();
    });
    // A page brought back from the browser's cache has lost its connection.
    window.addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
  }

  /** Read what the connection has measured since the last time. */
  async measure(): Promise<void> {
    const report = await this.viewer.stats();
    this.figures.set(report && this.meter.read(report));
  }

  private enter(viewer: ViewerState): void {
    const before = this.watched.get();
    const news = "broadcast" in viewer ? viewer.broadcast : null;
    this.watched.set({
      viewer,
      title: news?.title ?? before.title,
      viewers: news?.viewers ?? null,
      wasLive: before.wasLive || viewer.kind === "live",
    });
  }
}
