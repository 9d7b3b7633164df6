import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { RecordingFile } from "../../api/client";
import { below } from "../../api/place";
import { Problem } from "../../api/problem";
import type { LiveController } from "../../live/live-controller";
import { isOnAir } from "../../live/states";
import { Icon } from "../../ui/icon";
import { sayProblem } from "../../ui/say";
import { useStore } from "../../ui/use-store";
import "./recording.css";

/** A file is finished and renamed within a second or two of the last frame. */
const LOOK_EVERY_MS = 1_000;
const GIVE_UP_MS = 15_000;

/** Begins and ends the recording of what viewers get, and offers what was recorded. */
export function Recording({ live }: { live: LiveController }) {
  const { t } = useTranslation();
  const onAir = useStore(live.state, isOnAir);
  const isKnown = useStore(live.news, (news) => news !== null);
  const isOn = useStore(live.news, (news) => news?.record ?? false);
  const recorded = useStore(live.recorded);
  const hasFile = recorded !== null && !isOn;
  if (!onAir && !hasFile) return null;
  return (
    <section className="recording panel" aria-label={t("recording.heading")}>
      {onAir && (
        <div className="share-row">
          <span className="grow">{t(isOn ? "recording.on" : "recording.startMore")}</span>
          <button
            type="button"
            className="button"
            name="record"
            aria-pressed={isOn}
            disabled={!isKnown}
            onClick={() => void live.record(!isOn)}
          >
            {t(isOn ? "recording.stop" : "recording.start")}
          </button>
        </div>
      )}
      {hasFile && <Recorded key={recorded} live={live} name={recorded} />}
    </section>
  );
}

/** The files of the last recording, once the server has finished them. */
function Recorded({ live, name }: { live: LiveController; name: string }) {
  const { t } = useTranslation();
  const [sinceMs] = useState(Date.now);
  const { data, error, dataUpdatedAt } = useQuery({
    queryKey: ["recordings", name],
    queryFn: async () => (await live.api.recordings()).filter((file) => file.name.startsWith(name)),
    refetchInterval: ({ state: { data, status } }) =>
      status === "error" || data?.length || Date.now() - sinceMs > GIVE_UP_MS ? false : LOOK_EVERY_MS,
  });
  if (error !== null) {
    const problem = Problem.from(error);
    const isForbidden = problem.status === 401 || problem.status === 403;
    return <p className="quiet">{isForbidden ? t("recording.operatorOnly") : sayProblem(t, problem)}</p>;
  }
  if (data === undefined || data.length === 0) {
    const isOver = dataUpdatedAt - sinceMs > GIVE_UP_MS;
    return (
      <p className="quiet" role="status">
        {t(isOver ? "recording.none" : "recording.finishing")}
      </p>
    );
  }
  return (
    <ul className="recorded" role="status">
      {data.map((file) => (
        <RecordedFile key={file.name} live={live} file={file} />
      ))}
    </ul>
  );
}

function RecordedFile({ live, file }: { live: LiveController; file: RecordingFile }) {
  const { t } = useTranslation();
  const code = useStore(live.code);
  const label = t("recording.downloadOf", { name: file.name });
  const size = t("recording.size", { megabytes: (file.bytes / 1e6).toFixed(1) });
  return (
    <li>
      <span>{t("recording.where", { path: file.path })}</span>
      {code === "" ? (
        <a className="button" href={below(file.url)} download={file.name} aria-label={label}>
          <Icon name="download" />
          {t("recording.download")} <small>{size}</small>
        </a>
      ) : (
        <FetchedFile live={live} file={file} label={label} size={size} />
      )}
    </li>
  );
}

interface FetchedFileProps {
  live: LiveController;
  file: RecordingFile;
  label: string;
  size: string;
}

/** A link sends no operator's code, so the page fetches the file and hands it to the browser. */
function FetchedFile({ live, file, label, size }: FetchedFileProps) {
  const { t } = useTranslation();
  const download = useMutation({
    mutationFn: async () => {
      const url = URL.createObjectURL(await live.api.recording(file.url));
      const link = Object.assign(document.createElement("a"), { href: url, download: file.name });
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser has begun to read it long before
    },
  });
  return (
    <>
      <button
        type="button"
        className="button"
        aria-label={label}
        disabled={download.isPending}
        onClick={() => download.mutate()}
      >
        {download.isPending ? <span className="spinner" /> : <Icon name="download" />}
        {t("recording.download")} <small>{size}</small>
      </button>
      {download.error && (
        <p className="problem" role="alert">
          {sayProblem(t, Problem.from(download.error))}
        </p>
      )}
    </>
  );
}
