import { type DragEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import type { PhotoFindings } from "../../api/problem";
import { type FaceChoice, type FaceState, isGood, MOST_PHOTOS, type Photo } from "../../live/faces";
import { Icon } from "../../ui/icon";
import { sayProblem } from "../../ui/say";
import { useLanguage } from "../../ui/use-language";
import { useStore } from "../../ui/use-store";

/** Photos of one face, the declaration that its owner agreed, and what the server found in them. */
export function PhotoChoice({ faces }: { faces: FaceChoice }) {
  const { t } = useTranslation();
  const face = useStore(faces.state);
  const { photos, upload, tooMany } = face;
  const isReady = upload.kind === "ready";
  const mayAdd = photos.length < MOST_PHOTOS && upload.kind !== "uploading";
  return (
    <div className="photo">
      {photos.length > 0 && (
        <div role="group" aria-label={t("face.photos")}>
          <ul className="photos">
            {photos.map((photo) => (
              <PhotoRow key={photo.url} photo={photo} faces={faces} isFixed={upload.kind === "uploading"} />
            ))}
          </ul>
        </div>
      )}
      {mayAdd && <Drop faces={faces} count={photos.length} />}
      <p className="quiet" role="status" hidden={!tooMany}>
        {t("face.full", { most: MOST_PHOTOS })}
      </p>
      <Refusal face={face} />
      {photos.length > 0 && !isReady && <Declaration faces={faces} face={face} />}
      <p className="done" role="status" hidden={!isReady}>
        <Icon name="check" />
        {isReady && (upload.count === 1 ? t("face.ready") : t("face.readyAsOne", { number: upload.count }))}
      </p>
      {isReady && !photos.every(isGood) && <p className="quiet">{t("face.couldBeBetter")}</p>}
    </div>
  );
}

function Drop({ faces, count }: { faces: FaceChoice; count: number }) {
  const { t } = useTranslation();
  const [dragging, setDragging] = useState(false);
  const drag = (event: DragEvent, over: boolean) => {
    event.preventDefault();
    setDragging(over);
  };
  return (
    <label
      className="drop"
      data-dragging={dragging}
      onDragOver={(event) => drag(event, true)}
      onDragLeave={(event) => drag(event, false)}
      onDrop={(event) => {
        drag(event, false);
        faces.take(event.dataTransfer.files);
      }}
    >
      <input
        type="file"
        name="photo"
        multiple
        accept="image/jpeg,image/png,image/webp,image/avif,image/heic,image/heif"
        onChange={({ target }) => {
          faces.take(target.files);
          target.value = ""; // or a photo that was removed could not be chosen again
        }}
      />
      <Icon name="photo" />
      <strong>{t(count === 0 ? "face.drop" : "face.add")}</strong>
      <span>
        {count === 0
          ? t("face.dropMore", { most: MOST_PHOTOS })
          : t("face.addMore", { count: MOST_PHOTOS - count })}
      </span>
    </label>
  );
}

function PhotoRow({ photo, faces, isFixed }: { photo: Photo; faces: FaceChoice; isFixed: boolean }) {
  const { t } = useTranslation();
  return (
    <li>
      <Thumbnail photo={photo} />
      <Said photo={photo} />
      <button
        type="button"
        className="link"
        name="remove"
        aria-label={t("face.remove", { name: photo.file.name })}
        disabled={isFixed}
        onClick={() => faces.remove(photo)}
      >
        <Icon name="close" />
      </button>
    </li>
  );
}

/** Not every browser can show every kind of picture that the server reads, such as HEIC. */
function Thumbnail({ photo }: { photo: Photo }) {
  const [fails, setFails] = useState(false);
  if (fails) return <span className="photo-unseen">{photo.file.name}</span>;
  return <img src={photo.url} alt={photo.file.name} onError={() => setFails(true)} />;
}

function Said({ photo }: { photo: Photo }) {
  const { t } = useTranslation();
  if (photo.found === null) return <span className="quiet">{t("face.unseen")}</span>;
  if (isGood(photo))
    return (
      <span className="done">
        <Icon name="check" />
        {t("face.good")}
      </span>
    );
  return <Advice found={photo.found} />;
}

function Advice({ found }: { found: PhotoFindings }) {
  const language = useLanguage();
  return (
    <ul className="advice">
      {found.findings.map(({ code, severity, advice }) => (
        <li key={code} data-severity={severity}>
          <Icon name={severity === "refuse" ? "alert" : "info"} />
          {advice[language]}
        </li>
      ))}
    </ul>
  );
}

/** Why the photos cannot be used, or not any more. */
function Refusal({ face: { upload } }: { face: FaceState }) {
  const { t } = useTranslation();
  if (upload.kind === "gone")
    return (
      <p className="problem" role="alert">
        {t("face.gone")}
      </p>
    );
  if (upload.kind !== "refused") return null;
  const { problem } = upload;
  // With several photos the code is that of the first bad one; beside each stands what is wrong with it.
  const isOfOne = problem.photos.length > 1 && problem.code !== "photo.different_people";
  // What a file is, the server knows more exactly than any sentence of ours: "the second photo is animated".
  const isOfFile = problem.code.startsWith("media.") && problem.detail !== "";
  return (
    <p className="problem" role="alert">
      {isOfOne ? t("face.someRefused") : sayProblem(t, problem)}
      {isOfFile && <small lang="en">{problem.detail}</small>}
    </p>
  );
}

function Declaration({ faces, face }: { faces: FaceChoice; face: FaceState }) {
  const { t } = useTranslation();
  const language = useLanguage();
  const { agreed, declaredBy, photos } = face;
  const isUploading = face.upload.kind === "uploading";
  const count = photos.length;
  const isComplete = agreed && declaredBy.trim() !== "" && !isUploading;
  const upload = () => void faces.upload(language);
  return (
    <div className="declaration">
      <label className="check">
        <input
          type="checkbox"
          name="agreed"
          checked={agreed}
          onChange={({ target }) => faces.declare({ agreed: target.checked })}
        />
        <span>{t("face.agree")}</span>
      </label>
      <label className="field">
        <span>{t("face.declaredBy")}</span>
        <input
          type="text"
          name="declared-by"
          autoComplete="name"
          maxLength={100}
          value={declaredBy}
          onChange={({ target }) => faces.declare({ declaredBy: target.value })}
          onKeyDown={({ key }) => key === "Enter" && isComplete && upload()}
        />
        <small>{t("face.declaredByHint")}</small>
      </label>
      <button type="button" className="button" name="upload" disabled={!isComplete} onClick={upload}>
        {isUploading && <span className="spinner" />}
        {isUploading ? t("face.uploading", { count }) : t("face.upload", { count })}
      </button>
    </div>
  );
}
