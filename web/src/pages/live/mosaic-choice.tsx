import { useTranslation } from "react-i18next";
import type { MosaicShape, MosaicStyle } from "../../api/policy";
import type { FaceChoice } from "../../live/faces";
import { useStore } from "../../ui/use-store";

const STYLES: readonly MosaicStyle[] = ["cells", "blur", "solid"];
const SHAPES: readonly MosaicShape[] = ["box", "head"];

/** How hidden faces look. Offered beside a swap too: whoever is in doubt gets a mosaic, whatever is chosen. */
export function MosaicChoice({ faces }: { faces: FaceChoice }) {
  const { t } = useTranslation();
  const look = useStore(faces.state, (face) => face.look);
  return (
    <div className="mosaic-choice">
      <label className="field">
        <span>{t("face.mosaicStyle")}</span>
        <select
          name="mosaic-style"
          value={look.style ?? ""}
          onChange={({ target }) =>
            faces.choose({ look: { ...look, style: (target.value || null) as MosaicStyle | null } })
          }
        >
          <option value="">{t("face.serverChoice")}</option>
          {STYLES.map((style) => (
            <option key={style} value={style}>
              {t(`face.mosaicStyles.${style}`)}
            </option>
          ))}
        </select>
      </label>
      <label className="field">
        <span>{t("face.mosaicShape")}</span>
        <select
          name="mosaic-shape"
          value={look.shape ?? ""}
          onChange={({ target }) =>
            faces.choose({ look: { ...look, shape: (target.value || null) as MosaicShape | null } })
          }
        >
          <option value="">{t("face.serverChoice")}</option>
          {SHAPES.map((shape) => (
            <option key={shape} value={shape}>
              {t(`face.mosaicShapes.${shape}`)}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}
