import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { below } from "../api/place";
import logoUrl from "../favicon.svg";
import { LANGUAGES, type LanguageCode, rememberLanguage } from "../i18n/language";
import "./frame.css";

/** What stands around every page: the name that leads home, and the language switch. */
export function Frame({ children }: { children: ReactNode }) {
  const { t } = useTranslation();
  return (
    <>
      <header className="top">
        <a className="wordmark" href={below("/")} aria-label={`mien, ${t("home")}`}>
          <img src={logoUrl} alt="" width={28} height={28} />
          mien
        </a>
        <LanguageSwitch />
      </header>
      {children}
    </>
  );
}

function LanguageSwitch() {
  const { t, i18n } = useTranslation();
  const choose = (code: LanguageCode) => {
    rememberLanguage(code);
    document.documentElement.lang = code;
    void i18n.changeLanguage(code);
  };
  return (
    <div className="languages" role="group" aria-label={t("language")}>
      {LANGUAGES.map(({ code, name }) => (
        <button
          key={code}
          type="button"
          lang={code}
          className="language-choice"
          aria-pressed={i18n.language === code}
          onClick={() => choose(code)}
        >
          {name}
        </button>
      ))}
    </div>
  );
}
