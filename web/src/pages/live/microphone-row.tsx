import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import type { LiveController } from "../../live/live-controller";
import { meterLevel } from "../../live/microphone";
import { Icon } from "../../ui/icon";
import { useStore } from "../../ui/use-store";
import "./microphone-row.css";

/**
 * How loud the microphone is, and the button that silences it; while nothing is open, a button that opens what is chosen,
 * so that it can be tried before anybody hears it. Nothing where there is no sound.
 */
export function MicrophoneRow({ live }: { live: LiveController }) {
  const { t } = useTranslation();
  const stream = useStore(live.camera.streams);
  const muted = useStore(live.devices.state, (devices) => devices.muted);
  const named = useStore(live.devices.state, (devices) => devices.named);
  if (stream === null)
    return named ? (
      <div className="microphone-row">
        <button type="button" name="try" className="button" onClick={() => void live.devices.open()}>
          <Icon name="microphone" />
          {t("setup.try")}
        </button>
      </div>
    ) : null;
  if (stream.getAudioTracks().length === 0) return null;
  return (
    <div className="microphone-row">
      <LevelMeter stream={stream} label={t("setup.level")} />
      <button
        type="button"
        name="mute"
        className="button"
        aria-pressed={muted}
        onClick={() => live.mute(!muted)}
      >
        <Icon name={muted ? "microphoneOff" : "microphone"} />
        {t(muted ? "setup.unmute" : "setup.mute")}
      </button>
    </div>
  );
}

const SPOKEN_EVERY = 10;

/** Draws by itself, past React: it changes twenty times a second. */
function LevelMeter({ stream, label }: { stream: MediaStream; label: string }) {
  const meter = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let looks = 0;
    return meterLevel(stream, (level) => {
      meter.current?.style.setProperty("--level", level.toFixed(2));
      if (looks++ % SPOKEN_EVERY === 0)
        meter.current?.setAttribute("aria-valuenow", String(Math.round(100 * level)));
    });
  }, [stream]);
  return (
    <div
      ref={meter}
      className="level"
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={0}
    />
  );
}
