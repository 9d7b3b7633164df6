import { useTranslation } from "react-i18next";
import { below } from "../../api/place";
import { Icon } from "../../ui/icon";
import { useTitle } from "../../ui/use-title";
import "./not-found.css";

/** What is shown at every address that is none: what may have happened, and where to go. */
export function NotFoundPage() {
  const { t } = useTranslation();
  useTitle(`${t("notFound.heading")} · mien`);
  return (
    <main className="not-found">
      <Icon name="eye" />
      <h1>{t("notFound.heading")}</h1>
      <p>{t("notFound.more")}</p>
      <div className="not-found-ways">
        <a className="button primary" href={below("/")}>
          {t("viewer.others")}
        </a>
        <a className="button" href={below("/live")}>
          {t("goLive")}
        </a>
      </div>
    </main>
  );
}
