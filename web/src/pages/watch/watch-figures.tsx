import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import type { Readable } from "../../state/store";
import { useStore } from "../../ui/use-store";
import type { PathStats } from "../../webrtc/stats";

interface WatchFiguresProps {
  figures: Readable<PathStats | null>;
  /** Called on Escape. */
  onClose: () => void;
}

/** What this viewer's connection measures. */
export function WatchFigures({ figures, onClose }: WatchFiguresProps) {
  const { t } = useTranslation();
  const now = useStore(figures);
  useEffect(() => {
    const close = ({ key }: KeyboardEvent) => key === "Escape" && onClose();
    document.addEventListener("keydown", close);
    return () => document.removeEventListener("keydown", close);
  }, [onClose]);
  const fps = now?.fps == null ? "–" : t("stats.perSecond", { value: Math.round(now.fps) });
  const roundTrip = now?.roundTripMs == null ? "–" : t("stats.ms", { value: Math.round(now.roundTripMs) });
  const rows = [
    [t("stats.fps"), fps],
    [t("stats.size"), now?.size ?? "–"],
    [t("stats.roundTrip"), roundTrip],
    [t("stats.lost"), now?.lostPackets ?? "–"],
  ];
  return (
    <dl className="stage-stats" aria-label={t("stats.heading")}>
      {rows.map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
