import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import type { Api } from "../../api/client";
import { below } from "../../api/place";
import type { FaceChoice, FaceKind } from "../../live/faces";
import { Icon } from "../../ui/icon";
import { useLanguage } from "../../ui/use-language";
import { useStore } from "../../ui/use-store";
import "./face.css";
import { MosaicChoice } from "./mosaic-choice";
import { PhotoChoice } from "./photo-choice";

const KINDS: readonly FaceKind[] = ["mask", "photo", "mosaic"];

/** The choice of what happens to faces: a mask, photos of one face, or a mosaic for everyone. */
export function FacePicker({ api, faces }: { api: Pick<Api, "personas">; faces: FaceChoice }) {
  const { t } = useTranslation();
  const { kind, everybody } = useStore(faces.state);
  return (
    <fieldset className="panel">
      <legend>{t("face.heading")}</legend>
      <div className="kinds">
        {KINDS.map((each) => (
          <label key={each} className="kind">
            <input
              type="radio"
              name="kind"
              value={each}
              checked={each === kind}
              onChange={() => faces.choose({ kind: each })}
            />
            <Icon name={each} />
            <strong>{t(`face.${each}`)}</strong>
            <span>{t(`face.${each}More`)}</span>
          </label>
        ))}
      </div>
      <MaskChoice api={api} faces={faces} isShown={kind === "mask"} />
      {kind === "photo" && (
        <PhotoChoice
          loan={faces.photos}
          words={(count) => t("face.upload", { count })}
          onHandIn={(language) => void faces.photos.upload(language)}
        />
      )}
      {kind !== "mosaic" && (
        <label className="check">
          <input
            type="checkbox"
            name="everybody"
            checked={everybody}
            onChange={({ target }) => faces.choose({ everybody: target.checked })}
          />
          <span>
            {t("face.everybody")}
            <small>{t("face.everybodyMore")}</small>
          </span>
        </label>
      )}
      <MosaicChoice faces={faces} />
    </fieldset>
  );
}

interface MaskChoiceProps {
  api: Pick<Api, "personas">;
  faces: FaceChoice;
  isShown: boolean;
}

function MaskChoice({ api, faces, isShown }: MaskChoiceProps) {
  const { t } = useTranslation();
  const language = useLanguage();
  const chosen = useStore(faces.state, ({ mask }) => mask);
  const { data, isError, refetch } = useQuery({
    queryKey: ["personas"],
    queryFn: () => api.personas(),
    staleTime: Number.POSITIVE_INFINITY,
  });
  useEffect(() => {
    if (data !== undefined) faces.offer(data);
  }, [data, faces]);
  return (
    <div role="group" aria-label={t("face.masks")} hidden={!isShown}>
      <div className="masks">
        {data?.map(({ id, preview_url, title }) => (
          <label key={id} className="mask">
            <input
              type="radio"
              name="mask"
              value={id}
              checked={id === chosen}
              onChange={() => faces.choose({ mask: id })}
            />
            <img src={below(preview_url)} alt="" loading="lazy" />
            <span>{title[language]}</span>
          </label>
        ))}
      </div>
      {isError && (
        <p className="problem" role="alert">
          {t("face.masksFailed")}{" "}
          <button type="button" className="link" onClick={() => void refetch()}>
            {t("retry")}
          </button>
        </p>
      )}
    </div>
  );
}
