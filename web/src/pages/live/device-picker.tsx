import { useTranslation } from "react-i18next";
import type { LiveController } from "../../live/live-controller";
import { Icon } from "../../ui/icon";
import { useStore } from "../../ui/use-store";
import { MicrophoneRow } from "./microphone-row";

/** The choice of camera and microphone. */
export function DevicePicker({ live }: { live: LiveController }) {
  const { t } = useTranslation();
  const { named, showsSelf } = useStore(live.devices.state);
  return (
    <fieldset className="panel">
      <legend>{t("setup.devices")}</legend>
      {named ? (
        <DeviceLists live={live} />
      ) : (
        <div className="allow">
          <button type="button" className="button" name="allow" onClick={() => void live.devices.open()}>
            <Icon name="camera" />
            {t("setup.allow")}
          </button>
          <small>{t("setup.allowMore")}</small>
        </div>
      )}
      <MicrophoneRow live={live} />
      <label className="check">
        <input
          type="checkbox"
          name="self-view"
          checked={showsSelf}
          onChange={({ target }) => void live.devices.showSelf(target.checked)}
        />
        <span>
          {t("setup.selfView")}
          <small>{t("setup.selfViewMore")}</small>
        </span>
      </label>
    </fieldset>
  );
}

function DeviceLists({ live }: { live: LiveController }) {
  const { t } = useTranslation();
  const { cameras, microphones, choice } = useStore(live.devices.state);
  const stream = useStore(live.camera.streams);
  const openMicrophone = stream === null ? "" : (deviceOf(stream.getAudioTracks()[0]) ?? "none");
  return (
    <>
      <label className="field">
        <span>{t("setup.camera")}</span>
        <select
          name="camera"
          value={choice.camera ?? deviceOf(stream?.getVideoTracks()[0]) ?? ""}
          onChange={({ target }) => live.switchCamera(target.value || null)}
        >
          {cameras.map(({ deviceId, label }, index) => (
            <option key={deviceId} value={deviceId}>
              {label || t("setup.unnamedCamera", { index: index + 1 })}
            </option>
          ))}
        </select>
      </label>
      <label className="field">
        <span>{t("setup.microphone")}</span>
        <select
          name="microphone"
          value={choice.microphone ?? openMicrophone}
          onChange={({ target }) => void live.devices.choose({ microphone: target.value || null })}
        >
          {microphones.map(({ deviceId, label }, index) => (
            <option key={deviceId} value={deviceId}>
              {label || t("setup.unnamedMicrophone", { index: index + 1 })}
            </option>
          ))}
          <option value="none">{t("setup.noMicrophone")}</option>
        </select>
      </label>
    </>
  );
}

function deviceOf(track: MediaStreamTrack | undefined): string | null {
  return track?.getSettings().deviceId ?? null;
}
