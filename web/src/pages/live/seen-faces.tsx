import { type CSSProperties, type RefObject, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import type { SeenFace } from "../../api/client";
import type { LiveController } from "../../live/live-controller";
import { useStore } from "../../ui/use-store";
import "./seen-faces.css";

/** In shares of the picture's width. A smaller face is hardly a broadcaster's, and no finger hits it. */
const LEAST_WIDTH = 0.04;

interface SeenFacesProps {
  live: LiveController;
  video: RefObject<HTMLVideoElement | null>;
}

/** Over the preview: which face is the broadcaster's, and a button on every other one that could be. */
export function SeenFaces({ live, video }: SeenFacesProps) {
  const { t } = useTranslation();
  // While the server is too slow for a swap nobody wears a face, and none can be chosen.
  const view = useStore(live.news, (news) =>
    news === null || news.load === "no_swap" ? null : news.owner_view,
  );
  const place = usePicturePlace(video);
  if (view?.primary == null || place === null) return null;
  const { asked } = view.primary;
  const candidates = view.faces.filter(
    (face) => face.is_primary || (face.person === null && widthOf(face) >= LEAST_WIDTH),
  );
  // Of one face alone nothing is to be said but that it is the one.
  const shown = candidates.length > 1 ? candidates : candidates.filter(({ is_primary }) => is_primary);
  return (
    <div className="seen-faces" style={place}>
      {shown.map((face, index) =>
        face.is_primary ? (
          <span key={face.id} className="seen-face" data-primary="" style={placeOf(face)}>
            <span className="badge">{t("people.you")}</span>
          </span>
        ) : (
          <button
            key={face.id}
            type="button"
            className="seen-face"
            style={placeOf(face)}
            aria-label={t("people.thisIsMeOf", { number: index + 1 })}
            disabled={face.id === asked}
            onClick={() => void live.choosePrimary(face.id)}
          >
            <span className="badge">{t(face.id === asked ? "people.asked" : "people.thisIsMe")}</span>
          </button>
        ),
      )}
    </div>
  );
}

function widthOf({ box: [x0 = 0, , x1 = 0] }: SeenFace): number {
  return x1 - x0;
}

function placeOf({ box: [x0 = 0, y0 = 0, x1 = 0, y1 = 0] }: SeenFace): CSSProperties {
  const share = (value: number) => `${(100 * value).toFixed(2)}%`;
  return { left: share(x0), top: share(y0), width: share(x1 - x0), height: share(y1 - y0) };
}

/** Where `object-fit: contain` puts the picture of a video; null before it plays. It changes when a phone is turned. */
function usePicturePlace(video: RefObject<HTMLVideoElement | null>): CSSProperties | null {
  const [place, setPlace] = useState<CSSProperties | null>(null);
  useEffect(() => {
    const element = video.current;
    if (element === null) return;
    const read = () => setPlace(picturePlace(element));
    read();
    element.addEventListener("resize", read); // of the picture; the observer tells of the element
    const observer = new ResizeObserver(read);
    observer.observe(element);
    return () => {
      element.removeEventListener("resize", read);
      observer.disconnect();
    };
  }, [video]);
  return place;
}

export function picturePlace({
  videoWidth,
  videoHeight,
  clientWidth,
  clientHeight,
}: Pick<
  HTMLVideoElement,
  "videoWidth" | "videoHeight" | "clientWidth" | "clientHeight"
>): CSSProperties | null {
  if (videoWidth === 0 || videoHeight === 0) return null;
  const scale = Math.min(clientWidth / videoWidth, clientHeight / videoHeight);
  const [width, height] = [scale * videoWidth, scale * videoHeight];
  return { left: (clientWidth - width) / 2, top: (clientHeight - height) / 2, width, height };
}
