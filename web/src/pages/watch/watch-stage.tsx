import { type RefObject, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Icon, type IconName } from "../../ui/icon";
import "../../ui/stage.css";
import { useStore } from "../../ui/use-store";
import type { WatchController, Watched } from "../../watch/watch-controller";
import { WatchFigures } from "./watch-figures";
import { WatchNotice } from "./watch-notice";

interface WatchStageProps {
  controller: WatchController;
  /** Whether the video moves; the page shows more once it does. */
  playing: boolean;
  onPlaying: (playing: boolean) => void;
}

/** The picture, what is said over it while there is none, and its controls. */
export function WatchStage({ controller, playing, onPlaying }: WatchStageProps) {
  const { t } = useTranslation();
  const watched = useStore(controller.watched);
  const stage = useRef<HTMLDivElement>(null);
  const video = useRef<HTMLVideoElement>(null);
  const [blocked, setBlocked] = useState(false);
  const [muted, setMuted] = useState(true); // browsers play by themselves only what is silent
  const [wasUnmuted, setWasUnmuted] = useState(false);
  const [showsFigures, setShowsFigures] = useState(false);
  useStream(controller, video, onPlaying, setBlocked);

  const isOpen = isOpenTo(watched);
  const offersSound = blocked || (watched.viewer.kind === "live" && playing && muted && !wasUnmuted);
  const unmute = () => {
    setWasUnmuted(true);
    setMuted(false);
    if (video.current === null) return;
    video.current.muted = false; // at once: the browser allows sound only while the tap is handled
    void video.current.play().then(() => setBlocked(false));
  };
  return (
    <div className="stage watch-stage" data-open={isOpen} ref={stage}>
      <video
        ref={video}
        autoPlay
        playsInline
        muted={muted}
        aria-label={t("viewer.title")}
        onPlaying={() => onPlaying(true)}
        onVolumeChange={({ currentTarget }) => setMuted(currentTarget.muted)}
      />
      <WatchNotice watched={watched} playing={playing || blocked} />
      <div className="stage-bottom" hidden={!isOpen}>
        <Control
          icon={muted ? "muted" : "sound"}
          label={t(muted ? "viewer.unmute" : "viewer.mute")}
          hidden={offersSound} // the offer beside it does the same, and needs the room
          onClick={() => (muted ? unmute() : setMuted(true))}
        />
        <button type="button" className="button sound-prompt" hidden={!offersSound} onClick={unmute}>
          <Icon name="sound" />
          {t(blocked ? "viewer.play" : "viewer.sound")}
        </button>
        <span className="spacer" />
        <Control
          icon="info"
          label={t("viewer.info")}
          pressed={showsFigures}
          onClick={() => setShowsFigures((shows) => !shows)}
        />
        <FullScreenControl stage={stage} video={video} />
      </div>
      {showsFigures && isOpen && (
        <WatchFigures figures={controller.figures} onClose={() => setShowsFigures(false)} />
      )}
    </div>
  );
}

/** Whether there is, or may soon be, something to see. */
function isOpenTo({ viewer }: Watched): boolean {
  return viewer.kind !== "ended" && viewer.kind !== "failed" && viewer.kind !== "unknown";
}

/** Show each new stream, and tell whether the browser lets it play. */
function useStream(
  controller: WatchController,
  video: RefObject<HTMLVideoElement | null>,
  onPlaying: (playing: boolean) => void,
  onBlocked: (blocked: boolean) => void,
): void {
  const stream = useStore(controller.stream);
  useEffect(() => {
    if (stream === null || video.current === null) return;
    onPlaying(false);
    video.current.srcObject = stream;
    video.current.play().then(
      () => onBlocked(false),
      (error: unknown) => {
        // A new connection interrupts the old one's play(), which then says AbortError.
        if (error instanceof DOMException && error.name === "NotAllowedError") onBlocked(true);
      },
    );
  }, [stream, video, onPlaying, onBlocked]);
}

interface FullScreenProps {
  stage: RefObject<HTMLDivElement | null>;
  video: RefObject<HTMLVideoElement | null>;
}

function FullScreenControl({ stage, video }: FullScreenProps) {
  const { t } = useTranslation();
  const [isFull, setFull] = useState(false);
  useEffect(() => {
    const look = () => setFull(document.fullscreenElement !== null);
    document.addEventListener("fullscreenchange", look);
    return () => document.removeEventListener("fullscreenchange", look);
  }, []);
  const toggle = async () => {
    if (document.fullscreenElement) await document.exitFullscreen();
    else if (stage.current?.requestFullscreen) await stage.current.requestFullscreen();
    // An iPhone can fill its screen with nothing but the video itself.
    else
      (
        video.current as (HTMLVideoElement & { webkitEnterFullscreen?: () => void }) | null
      )?.webkitEnterFullscreen?.();
  };
  return (
    <Control
      icon="fullscreen"
      label={t(isFull ? "viewer.leaveFullscreen" : "viewer.fullscreen")}
      pressed={isFull}
      onClick={() => void toggle()}
    />
  );
}

interface ControlProps {
  icon: IconName;
  label: string;
  pressed?: boolean;
  hidden?: boolean;
  onClick: () => void;
}

function Control({ icon, label, pressed, hidden, onClick }: ControlProps) {
  return (
    <button
      type="button"
      className="control"
      hidden={hidden}
      aria-pressed={pressed}
      aria-label={label}
      title={label}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}
