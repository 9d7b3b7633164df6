import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import type { LiveController } from "../../live/live-controller";
import { isOnAir } from "../../live/states";
import { useStore } from "../../ui/use-store";
import { useTitle } from "../../ui/use-title";
import { Action } from "./action";
import { DevicePicker } from "./device-picker";
import { FacePicker } from "./face-picker";
import "./live.css";
import { LiveStage } from "./live-stage";
import { LoadNote, ProfileLine } from "./load-note";
import { PeoplePanel } from "./people-panel";
import { Pushes } from "./pushes";
import { Recording } from "./recording";
import { Share } from "./share";
import { StageBar } from "./stage-bar";
import { Stats } from "./stats";
import { StopQuestion } from "./stop-question";

/** `/live`: choose a face, go live, and see what viewers see. */
export function LivePage({ live }: { live: LiveController }) {
  const { t } = useTranslation();
  const state = useStore(live.state);
  const [asks, setAsks] = useState(false);
  const onAir = isOnAir(state);
  const hasPreview = useStore(live.preview, (stream) => stream !== null);
  useTitle(`${t(onAir ? "stage.onAir" : "goLive")} · mien`);
  useEffect(() => {
    if (!onAir) setAsks(false); // there is nothing left to end
  }, [onAir]);
  useEffect(() => {
    // On a phone the button is far below the picture that it has just brought to life.
    if (hasPreview) window.scrollTo({ top: 0 });
  }, [hasPreview]);
  const broadcast = onAir && "broadcast" in state ? state.broadcast : null;
  return (
    <main className="live" data-state={state.kind}>
      <div className="live-stage">
        <LiveStage live={live} />
        <StageBar live={live} />
        <LoadNote live={live} />
        <ProfileLine live={live} />
        {onAir && <Stats live={live} />}
        {broadcast && <Share broadcast={broadcast} />}
        <Recording live={live} />
        {broadcast && <Pushes api={live.api} broadcast={broadcast} />}
      </div>
      {/* Enter in a field submits a form. To go on air or off it is a button's matter alone, so this submits nothing. */}
      <form className="live-setup" onSubmit={(event) => event.preventDefault()}>
        <h1>{t(onAir ? "setup.headingLive" : "setup.heading")}</h1>
        <FacePicker api={live.api} faces={live.faces} />
        <PeoplePanel live={live} />
        <DevicePicker live={live} />
        {!onAir && <TitleField live={live} />}
        {!onAir && <CodeField live={live} />}
        <Action live={live} onStop={() => setAsks(true)} />
      </form>
      <StopQuestion live={live} open={asks} onOpenChange={setAsks} />
    </main>
  );
}

function TitleField({ live }: { live: LiveController }) {
  const { t } = useTranslation();
  const title = useStore(live.title);
  return (
    <div className="panel">
      <label className="field">
        <span>{t("setup.title")}</span>
        <input
          type="text"
          name="title"
          maxLength={120}
          autoComplete="off"
          placeholder={t("setup.titleHint")}
          value={title}
          onChange={({ target }) => live.title.set(target.value)}
        />
      </label>
    </div>
  );
}

function CodeField({ live }: { live: LiveController }) {
  const { t } = useTranslation();
  const isNeeded = useStore(live.code.isNeeded);
  const code = useStore(live.code);
  if (!isNeeded) return null;
  return (
    <div className="panel">
      <label className="field">
        <span>{t("setup.code")}</span>
        <input
          type="password"
          name="code"
          autoComplete="off"
          value={code}
          onChange={({ target }) => live.code.set(target.value)}
        />
        <small>{t("setup.codeHint")}</small>
      </label>
    </div>
  );
}
