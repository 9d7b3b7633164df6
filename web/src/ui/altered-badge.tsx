import { useTranslation } from "react-i18next";
import "./badge.css";

/** The mark that every altered picture wears on the page too, beside the one in the picture itself. */
export function AlteredBadge() {
  const { t } = useTranslation();
  return (
    <span className="badge badge-altered" title={t("alteredMore")}>
      {t("altered")}
    </span>
  );
}
