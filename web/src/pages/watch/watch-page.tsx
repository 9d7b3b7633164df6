import { useState } from "react";
import { useTranslation } from "react-i18next";
import { AlteredBadge } from "../../ui/altered-badge";
import { useStore } from "../../ui/use-store";
import { useTitle } from "../../ui/use-title";
import type { WatchController } from "../../watch/watch-controller";
import { WatchStage } from "./watch-stage";
import "./watch.css";

/** `/watch/{id}`: one broadcast, full of itself. */
export function WatchPage({ controller }: { controller: WatchController }) {
  const { t } = useTranslation();
  const watched = useStore(controller.watched);
  const [playing, setPlaying] = useState(false);
  const isUnknown = watched.viewer.kind === "unknown";
  useTitle(`${isUnknown ? t("viewer.unknown") : watched.title || t("viewer.title")} · mien`);
  const isLive = watched.viewer.kind === "live" && playing;
  return (
    <main className="watch">
      <WatchStage controller={controller} playing={playing} onPlaying={setPlaying} />
      <div className="watch-about" hidden={isUnknown}>
        <div className="stage-bar" hidden={!isLive}>
          <span className="badge badge-live">{t("viewer.live")}</span>
          <AlteredBadge />
        </div>
        <h1>{watched.title || t("untitled")}</h1>
        <p className="quiet" hidden={watched.viewers === null}>
          {t("viewers", { count: watched.viewers ?? 0 })}
        </p>
        <p className="quiet">{t("alteredMore")}</p>
      </div>
    </main>
  );
}
