import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import type { LiveController } from "../../live/live-controller";
import "../../ui/badge.css";
import { Icon } from "../../ui/icon";
import { useStore } from "../../ui/use-store";
import "./self-view.css";

/** The untreated camera, for this screen alone; off unless asked for. */
export function SelfView({ live }: { live: LiveController }) {
  const { t } = useTranslation();
  const stream = useStore(live.camera.streams);
  const shows = useStore(live.devices.state, ({ showsSelf }) => showsSelf);
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (video.current !== null) video.current.srcObject = stream;
  }, [stream]);
  return (
    <div className="self-view" hidden={!shows || stream === null}>
      <video ref={video} autoPlay playsInline muted />
      <span className="badge">
        <Icon name="eye" />
        {t("setup.selfViewBadge")}
      </span>
    </div>
  );
}
