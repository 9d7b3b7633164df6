import { useTranslation } from "react-i18next";
import { Problem } from "../../api/problem";
import { isSilent } from "../../live/devices";
import type { FaceKind } from "../../live/faces";
import type { LiveController } from "../../live/live-controller";
import { asksToGoOn, isBusy, isOnAir } from "../../live/states";
import { sayProblem } from "../../ui/say";
import { useStore } from "../../ui/use-store";

/** The button that goes on air and off it, and what stands against that. */
export function Action({ live, onStop }: { live: LiveController; onStop: () => void }) {
  const { t } = useTranslation();
  const state = useStore(live.state);
  const lacksFace = useLack(live) !== null;
  const goesOn = asksToGoOn(state);
  const stops = (isOnAir(state) && !goesOn) || isBusy(state);
  const goOrStop = () => {
    if (goesOn) live.goLive();
    else if (isOnAir(state)) onStop();
    else if (isBusy(state)) live.stop();
    else live.goLive();
  };
  return (
    <div className="action">
      <Sayings live={live} />
      <button
        type="button"
        name="go"
        className={`button large ${stops ? "stop" : "primary"}`}
        disabled={state.kind === "stopping" || (!stops && !goesOn && lacksFace)}
        // The second click of a double one, or a key held down, would meet what the first has turned this into.
        onClick={({ detail }) => detail < 2 && goOrStop()}
        onKeyDown={(event) => event.repeat && event.preventDefault()}
      >
        {goesOn ? t("stage.goOn") : isOnAir(state) ? t("stop") : isBusy(state) ? t("cancel") : t("goLive")}
      </button>
      {goesOn && (
        <button type="button" name="end-kept" className="button" onClick={onStop}>
          {t("stop")}
        </button>
      )}
    </div>
  );
}

/** What is wrong, and what is missing or has just happened. */
function Sayings({ live }: { live: LiveController }) {
  const { t } = useTranslation();
  const state = useStore(live.state);
  const change = useStore(live.change);
  const failed = state.kind === "failed" && state.error instanceof Problem ? state.error : null;
  const problem = failed ?? change.problem;
  const hint = useHint(live);
  return (
    <>
      {problem && (
        <p className="problem" role="alert">
          {sayProblem(t, problem)}
        </p>
      )}
      <p className="quiet" role="status" hidden={hint === ""}>
        {hint}
      </p>
    </>
  );
}

/** What kind of face is still to be chosen; null where one is. */
function useLack({ faces }: LiveController): FaceKind | null {
  const kind = useStore(faces.state, ({ kind }) => kind);
  const lacksMask = useStore(faces.state, ({ mask }) => mask === null);
  const lacksPhoto = useStore(faces.photos.state, ({ upload }) => upload.kind !== "ready");
  return (kind === "mask" && lacksMask) || (kind === "photo" && lacksPhoto) ? kind : null;
}

function useHint(live: LiveController): string {
  const { t } = useTranslation();
  const busy = useStore(live.state, isBusy);
  const note = useStore(live.change, (change) => change.note);
  const stream = useStore(live.camera.streams);
  const lacks = useLack(live);
  const silent = useStore(live.devices.state, (devices) => isSilent(devices, stream));
  if (note !== null) return t(`face.${note}`);
  if (busy) return "";
  if (lacks !== null) return t(lacks === "mask" ? "face.needsMask" : "face.needsPhoto");
  return silent ? t("camera.silent") : "";
}
