import { useTranslation } from "react-i18next";
import type { LiveController } from "../../live/live-controller";
import { useStore } from "../../ui/use-store";
import "./load-note.css";

/** What the server has given up to keep up, or that it cannot. */
export function LoadNote({ live }: { live: LiveController }) {
  const { t } = useTranslation();
  const isLive = useStore(live.state, ({ kind }) => kind === "live");
  const told = useStore(live.news, (news) => news?.load ?? "ok");
  const load = isLive ? told : "ok";
  return (
    <div className="load-note panel" role="status" data-load={load} hidden={load === "ok"}>
      {load !== "ok" && (
        <>
          <strong>{t(`load.${load}.what`)}</strong>
          <span>{t(`load.${load}.more`)}</span>
        </>
      )}
    </div>
  );
}

/** How much the server does for each frame, and what would let it do more. */
export function ProfileLine({ live }: { live: LiveController }) {
  const { t } = useTranslation();
  const isLive = useStore(live.state, ({ kind }) => kind === "live");
  const name = useStore(live.news, (news) => news?.profile.name);
  const helps = useStore(live.news, (news) => news?.profile.helps.join(" ") ?? "");
  if (!isLive || name === undefined) return null;
  const ways = helps === "" ? [] : (helps.split(" ") as HelpName[]).map((help) => t(`profile.helps.${help}`));
  return (
    <p className="profile-line" data-profile={name}>
      {t(`profile.names.${name}`)}
      {ways.length > 0 && ` ${t("profile.help", { ways: ways.join(", ") })}`}
    </p>
  );
}

type HelpName = NonNullable<ReturnType<LiveController["news"]["get"]>>["profile"]["helps"][number];
