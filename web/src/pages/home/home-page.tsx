import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import type { Api, Broadcast } from "../../api/client";
import { below } from "../../api/place";
import { Icon } from "../../ui/icon";
import { useTitle } from "../../ui/use-title";
import { BroadcastCard } from "./broadcast-card";
import "./home.css";

const POLL_MS = 3_000;
const PILLARS = { swap: "mask", mosaic: "mosaic", label: "label" } as const;

type HomeApi = Pick<Api, "broadcasts" | "personas">;

/** `/`: what mien is, who is live, and the way to go live. */
export function HomePage({ api }: { api: HomeApi }) {
  const { t } = useTranslation();
  useTitle(`mien · ${t("appLine")}`);
  return (
    <main className="home">
      <section className="hero">
        <Masks api={api} />
        <h1>{t("appLine")}</h1>
        <p className="lead">{t("appMore")}</p>
        <a className="button primary large" href={below("/live")}>
          <Icon name="camera" />
          {t("goLive")}
        </a>
        <ul className="pillars">
          {(["swap", "mosaic", "label"] as const).map((name) => (
            <li key={name}>
              <Icon name={PILLARS[name]} />
              <strong>{t(`pillars.${name}`)}</strong>
              <span>{t(`pillars.${name}More`)}</span>
            </li>
          ))}
        </ul>
      </section>
      <OnAir api={api} />
    </main>
  );
}

/** The masks are an ornament here: without them the page says all the same. */
function Masks({ api }: { api: HomeApi }) {
  const { data = [] } = useQuery({
    queryKey: ["personas"],
    queryFn: () => api.personas(),
    staleTime: Infinity,
  });
  return (
    <div className="hero-masks" aria-hidden="true">
      {data.slice(0, 3).map(({ id, preview_url }) => (
        <img key={id} src={below(preview_url)} alt="" loading="lazy" />
      ))}
    </div>
  );
}

/** Who is on air, asked again and again while somebody looks at the page. */
function OnAir({ api }: { api: HomeApi }) {
  const { t } = useTranslation();
  const { data, isError, dataUpdatedAt } = useQuery({
    queryKey: ["broadcasts"],
    queryFn: () => api.broadcasts(),
    refetchInterval: POLL_MS,
    retry: false, // the next look is one
  });
  // While the server cannot be reached, what was last known stays.
  const onAir = data?.filter(isOnAir);
  const notice = isError ? t("listFailed") : onAir === undefined ? t("loading") : "";
  return (
    <section className="now" aria-labelledby="now">
      <h2 id="now">{t("liveNow")}</h2>
      <p className="quiet" role="status" hidden={notice === ""}>
        {notice}
      </p>
      {onAir?.length === 0 && !isError && (
        <div className="empty">
          <Icon name="eye" />
          <strong>{t("nobodyLive")}</strong>
          <span>{t("nobodyLiveMore")}</span>
        </div>
      )}
      <ul className="broadcasts">
        {onAir?.map((broadcast) => (
          <BroadcastCard key={broadcast.id} broadcast={broadcast} atMs={dataUpdatedAt} />
        ))}
      </ul>
    </section>
  );
}

function isOnAir({ state }: Broadcast): boolean {
  return state === "live" || state === "paused" || state === "restarting";
}
