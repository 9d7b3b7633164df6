import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import type { Fault } from "../../live/devices";
import { Icon } from "../../ui/icon";
import { sayCamera } from "../../ui/say";
import "./stage-fault.css";

/** Says on the stage why there is no camera, and offers what to do: the stage is what everybody looks at. */
export function StageFault({ fault }: { fault: Fault }) {
  const { t } = useTranslation();
  const { error, ways } = fault;
  const { what, advice } = sayCamera(t, error);
  const element = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each fault takes the focus, the same one again too
  useEffect(() => {
    // So that eyes, keys and screen readers find it.
    element.current?.focus({ preventScroll: true });
    element.current?.scrollIntoView?.({ block: "nearest" });
  }, [fault]);
  return (
    <div
      ref={element}
      className="stage-fault"
      role="group"
      tabIndex={-1}
      aria-labelledby="fault-what"
      aria-describedby="fault-more"
      data-fault={error.fault}
    >
      <span className="wrap fault-art">
        <Icon name="alert" />
      </span>
      <strong id="fault-what">{what}</strong>
      <p id="fault-more">{advice}</p>
      <div className="fault-ways">
        {error.isWorthARetry && (
          <button type="button" name="fault-retry" className="button primary" onClick={ways.retry}>
            {t("retry")}
          </button>
        )}
        {error.isOfThisCamera && ways.otherCamera && (
          <button type="button" name="fault-other" className="button" onClick={ways.otherCamera}>
            {t("camera.otherCamera")}
          </button>
        )}
        {error.isOfMicrophone && (
          <button type="button" name="fault-silent" className="button" onClick={ways.silently}>
            {t("camera.without")}
          </button>
        )}
      </div>
    </div>
  );
}
