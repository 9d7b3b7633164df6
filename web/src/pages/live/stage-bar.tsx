import { useTranslation } from "react-i18next";
import type { LiveController } from "../../live/live-controller";
import { isOnAir } from "../../live/states";
import { AlteredBadge } from "../../ui/altered-badge";
import { useNow } from "../../ui/use-now";
import { useStore } from "../../ui/use-store";

/** What is said of the picture, beside it: the picture itself is full of what viewers see. */
export function StageBar({ live }: { live: LiveController }) {
  const { t } = useTranslation();
  const state = useStore(live.state);
  // Viewers may see the slate although this side is connected.
  const isPaused = useStore(live.news, (news) => news?.state === "paused");
  const now = useNow(isOnAir(state));
  if (!isOnAir(state) || !("sinceMs" in state)) return null;
  return (
    <div className="stage-bar">
      {state.kind === "live" && (
        <span className={`badge ${isPaused ? "badge-paused" : "badge-live"}`}>
          {t(isPaused ? "stage.pausedBadge" : "stage.onAir")}
        </span>
      )}
      <span className="badge">{clockOf(now - state.sinceMs)}</span>
      {state.kind === "live" && <AlteredBadge />}
    </div>
  );
}

function clockOf(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
