import type { TFunction } from "i18next";
import { useTranslation } from "react-i18next";
import { below } from "../../api/place";
import { sayProblem, sayRetry } from "../../ui/say";
import { useNow } from "../../ui/use-now";
import type { Watched } from "../../watch/watch-controller";

/** What stands over the picture; nothing where the picture speaks for itself. */
export function WatchNotice({ watched, playing }: { watched: Watched; playing: boolean }) {
  const { t } = useTranslation();
  const { kind } = watched.viewer;
  const now = useNow(kind === "reconnecting");
  const notice = noticeOf(t, watched, playing, now);
  const isBusy = kind === "connecting" || kind === "reconnecting" || (kind === "live" && !playing);
  return (
    <div className="stage-notice" role="status" hidden={notice === null}>
      <span className="spinner" hidden={!isBusy} />
      <strong>{notice?.what}</strong>
      <span>{notice?.more}</span>
      {(kind === "ended" || kind === "unknown") && (
        <a className="button" href={below("/")}>
          {t("viewer.others")}
        </a>
      )}
      {kind === "failed" && (
        <button type="button" className="button" onClick={() => location.reload()}>
          {t("retry")}
        </button>
      )}
    </div>
  );
}

function noticeOf(
  t: TFunction,
  { viewer, wasLive }: Watched,
  playing: boolean,
  nowMs: number,
): { what: string; more: string } | null {
  switch (viewer.kind) {
    case "connecting":
      return { what: t("viewer.connecting"), more: "" };
    case "waiting":
      if (!wasLive) return { what: t("viewer.waiting"), more: t("viewer.waitingMore") };
      return { what: t("viewer.paused"), more: t("viewer.pausedMore") };
    case "paused":
      return {
        what: t("viewer.paused"),
        more: t(viewer.broadcast.load === "overloaded" ? "viewer.overloadedMore" : "viewer.pausedMore"),
      };
    case "ended":
      return { what: t("viewer.ended"), more: t("viewer.endedMore") };
    case "unknown":
      return { what: t("viewer.unknown"), more: t("viewer.unknownMore") };
    case "failed":
      return { what: t("viewer.failed"), more: sayProblem(t, viewer.problem) };
    case "reconnecting":
      return { what: t("viewer.reconnecting"), more: sayRetry(t, viewer, nowMs) };
    case "live":
      return playing ? null : { what: t("viewer.connecting"), more: "" };
  }
}
