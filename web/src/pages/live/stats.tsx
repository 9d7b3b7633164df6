import type { TFunction } from "i18next";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Broadcast } from "../../api/client";
import type { LiveController } from "../../live/live-controller";
import { Icon } from "../../ui/icon";
import { useStore } from "../../ui/use-store";
import "./stats.css";

/** What the server and the browser measure: four numbers, and all of them on a tap. */
export function Stats({ live }: { live: LiveController }) {
  const { t } = useTranslation();
  const [showsAll, setShowsAll] = useState(false);
  const toggle = () => setShowsAll((shows) => !shows);
  const label = t(showsAll ? "stats.less" : "stats.more");
  return (
    <section className="stats" aria-label={t("stats.heading")}>
      {/* The button beside it does the same for keys and screen readers. */}
      <dl className="stats-strip" onClick={toggle}>
        <MainFigures live={live} />
      </dl>
      <button
        type="button"
        className="stats-more"
        name="details"
        aria-expanded={showsAll}
        aria-label={label}
        title={label}
        onClick={toggle}
      >
        <Icon name="more" />
      </button>
      {showsAll && (
        <dl className="stats-details">
          <OtherFigures live={live} />
        </dl>
      )}
    </section>
  );
}

/** The server's numbers; none while the connection is lost, as they are of what was. */
function useNumbers(live: LiveController): Broadcast | null {
  const isLost = useStore(live.state, ({ kind }) => kind === "reconnecting");
  const news = useStore(live.news);
  return isLost ? null : news;
}

function MainFigures({ live }: { live: LiveController }) {
  const { t } = useTranslation();
  const numbers = useNumbers(live);
  const delayMs = useStore(live.figures, (figures) => figures?.delayMs);
  return (
    <>
      {/* The preview is a viewer to the server, but not to the person. */}
      <Figure name="viewers" label={t("stats.viewers")} value={count(numbers?.viewers)} />
      <Figure name="fps" label={t("stats.fps")} value={rate(t, numbers?.fps_out)} />
      <Figure name="delay" label={t("stats.delay")} value={ms(t, delayMs)} hint={t("stats.delayMore")} />
      <Figure name="faces" label={t("stats.faces")} value={countFaces(t, numbers)} />
    </>
  );
}

function OtherFigures({ live }: { live: LiveController }) {
  const { t } = useTranslation();
  const numbers = useNumbers(live);
  const down = useStore(live.figures, (figures) => figures?.down);
  return (
    <>
      <Figure name="fps-in" label={t("stats.fpsIn")} value={rate(t, numbers?.fps_in)} />
      <Figure name="dropped" label={t("stats.dropped")} value={count(numbers?.dropped)} />
      <Figure name="size" label={t("stats.size")} value={numbers?.size?.join(" × ") ?? "–"} />
      <Figure name="vision" label={t("stats.vision")} value={ms(t, numbers?.vision_ms)} />
      <Figure name="server" label={t("stats.server")} value={ms(t, numbers?.server_delay_ms)} />
      <Figure name="round-trip" label={t("stats.roundTrip")} value={ms(t, down?.roundTripMs)} />
      <Figure name="lost" label={t("stats.lost")} value={count(down?.lostPackets)} />
      <Figure name="layers" label={t("stats.layers")} value={countReduced(numbers)} />
      <Figure name="codec" label={t("stats.codec")} value={numbers?.codec ?? null} />
      <Figure name="recording" label={t("stats.recording")} value={sayRecording(t, numbers)} />
    </>
  );
}

interface FigureProps {
  name: string;
  label: string;
  /** Null where it does not apply. */
  value: string | null;
  hint?: string;
}

function Figure({ name, label, value, hint }: FigureProps) {
  if (value === null) return null;
  return (
    <div className="figure" title={hint} data-stat={name}>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function count(value: number | undefined): string {
  return value === undefined ? "–" : String(value);
}

function rate(t: TFunction, value: number | undefined): string {
  return value === undefined ? "–" : t("stats.perSecond", { value: Math.round(value) });
}

function ms(t: TFunction, value: number | null | undefined): string {
  return value == null ? "–" : t("stats.ms", { value: Math.round(value) });
}

function countFaces(t: TFunction, numbers: Broadcast | null): string {
  if (numbers === null) return "–";
  const { faces } = numbers;
  const counted = (["swap", "mosaic", "show"] as const).filter((name) => (faces[name] ?? 0) > 0);
  return (
    counted.map((name) => t(`stats.${name}`, { number: faces[name] ?? 0 })).join(", ") || t("stats.none")
  );
}

/** How many viewers get a smaller picture; null where all get the full one. */
function countReduced(numbers: Broadcast | null): string | null {
  const { "0": _full, ...reduced } = numbers?.layers ?? {};
  const viewers = Object.values(reduced).reduce((sum, each) => sum + each, 0);
  return viewers > 0 ? String(viewers) : null;
}

function sayRecording(t: TFunction, numbers: Broadcast | null): string | null {
  if (numbers === null || !numbers.record) return null;
  return t(numbers.recording?.ended == null ? "stats.recordingOn" : "stats.recordingEnded");
}
