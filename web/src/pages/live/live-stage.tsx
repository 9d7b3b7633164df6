import type { TFunction } from "i18next";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { LiveController } from "../../live/live-controller";
import { asksToGoOn, isBusy, isOnAir, isWaiting } from "../../live/states";
import { Icon } from "../../ui/icon";
import { sayRetry } from "../../ui/say";
import "../../ui/stage.css";
import { useNow } from "../../ui/use-now";
import { useStore } from "../../ui/use-store";
import type { BroadcasterState } from "../../webrtc/broadcaster";
import { SeenFaces } from "./seen-faces";
import { SelfView } from "./self-view";
import { StageFault } from "./stage-fault";

/** What viewers see, and what is said while there is nothing to see. */
export function LiveStage({ live }: { live: LiveController }) {
  const { t } = useTranslation();
  const state = useStore(live.state);
  const stream = useStore(live.preview);
  const fault = useStore(live.fault);
  const video = useRef<HTMLVideoElement>(null);
  const [playing, setPlaying] = useState(false);
  useEffect(() => {
    setPlaying(false);
    if (video.current !== null) video.current.srcObject = stream;
  }, [stream]);
  const now = useNow(state.kind === "reconnecting");
  const notice = noticeOf(t, state, playing, now);
  const isAtRest = !isOnAir(state) && !isBusy(state);
  return (
    <div className="stage" data-fault={fault === null ? undefined : ""}>
      <video
        ref={video}
        autoPlay
        playsInline
        muted
        aria-label={t("stage.preview")}
        onPlaying={() => setPlaying(true)}
      />
      <div className="stage-notice" role="status" hidden={notice === null}>
        <span className="spinner" hidden={!isWaiting(state)} />
        {isAtRest && (
          <span className="wrap stage-art">
            <Icon name="mask" />
          </span>
        )}
        <strong>{notice?.what}</strong>
        <span>{notice?.more}</span>
        {state.kind === "camera-lost" && (
          <button type="button" className="button" onClick={() => live.switchCamera(null)}>
            {t("camera.otherCamera")}
          </button>
        )}
        {asksToGoOn(state) && (
          <button type="button" className="button" name="go-on" onClick={() => live.goLive()}>
            {t("stage.goOn")}
          </button>
        )}
      </div>
      <p className="stage-caption" hidden={notice !== null}>
        {t("stage.preview")}
      </p>
      {notice === null && <SeenFaces live={live} video={video} />}
      <SelfView live={live} />
      {fault && <StageFault fault={fault} />}
    </div>
  );
}

function noticeOf(
  t: TFunction,
  state: BroadcasterState,
  playing: boolean,
  nowMs: number,
): { what: string; more: string } | null {
  switch (state.kind) {
    case "idle":
    case "failed":
      return { what: t("stage.idle"), more: t("stage.idleMore") };
    case "opening-camera":
      return { what: t("stage.camera"), more: t("stage.cameraMore") };
    case "connecting":
      return { what: t("stage.connecting"), more: t("stage.connectingMore") };
    case "reconnecting":
      return {
        what: t("stage.reconnecting"),
        more: `${sayRetry(t, state, nowMs)} ${t("stage.reconnectingMore")}`,
      };
    case "camera-lost":
      return { what: t("stage.cameraLost"), more: t("stage.cameraLostMore") };
    case "interrupted":
      if (state.isOpening) return { what: t("stage.camera"), more: t("stage.cameraMore") };
      return { what: t("stage.interrupted"), more: t("stage.interruptedMore") };
    case "stopping":
      return { what: t("stage.stopping"), more: "" };
    case "ended":
      return state.by === "server"
        ? { what: t("stage.endedByServer"), more: t("stage.endedByServerMore") }
        : { what: t("stage.ended"), more: t("stage.endedMore") };
    case "live":
      return playing ? null : { what: t("stage.connecting"), more: t("stage.connectingMore") };
  }
}
