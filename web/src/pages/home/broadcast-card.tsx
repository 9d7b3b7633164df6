import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Broadcast } from "../../api/client";
import { below } from "../../api/place";
import { treatmentOf } from "../../api/policy";
import { AlteredBadge } from "../../ui/altered-badge";
import { Icon } from "../../ui/icon";
import "./broadcast-card.css";

const PICTURE_MS = 5_000;

/**
 * One broadcast in a list: its treated picture, a new one every five seconds, or a plain ground without one.
 *
 * `atMs` is when the broadcast was heard of, by the clock of `Date`.
 */
export function BroadcastCard({ broadcast, atMs }: { broadcast: Broadcast; atMs: number }) {
  const { t } = useTranslation();
  const [hasPicture, setHasPicture] = useState(false);
  const treatment = treatmentOf(broadcast.policy);
  // Browsers keep the old picture until the new one is there, but would not ask twice for the same address.
  const pictureUrl = `${below(broadcast.thumbnail_url)}?at=${Math.floor(atMs / PICTURE_MS)}`;
  return (
    <li>
      <a className="card" href={below(broadcast.watch_url)}>
        <span className="card-art" data-treatment={treatment}>
          <Icon name={treatment === "swap" ? "mask" : "mosaic"} />
          <img
            className="card-picture"
            alt=""
            src={pictureUrl}
            hidden={!hasPicture}
            onLoad={() => setHasPicture(true)}
            onError={() => setHasPicture(false)}
          />
          <span className="badge badge-live">{t("viewer.live")}</span>
        </span>
        <strong className="card-title">{broadcast.title || t("untitled")}</strong>
        <span className="card-facts">
          <AlteredBadge />
          <span>{t(`treatment.${treatment}`)}</span>
          <span>{t("viewers", { count: broadcast.viewers })}</span>
        </span>
      </a>
    </li>
  );
}
