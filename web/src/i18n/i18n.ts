import i18next, { type i18n } from "i18next";
import { initReactI18next } from "react-i18next";
import { en } from "./en";
import { ko } from "./ko";
import { chosenLanguage, LANGUAGES, type LanguageCode } from "./language";

const DICTIONARIES = { en, ko } satisfies Record<LanguageCode, object>;

/** Make ready what `useTranslation` speaks. Both dictionaries are here already, so nothing is waited for. */
export function startI18n(code: LanguageCode = chosenLanguage()): i18n {
  const instance = i18next.createInstance();
  void instance.use(initReactI18next).init({
    lng: code,
    supportedLngs: LANGUAGES.map(({ code }) => code),
    fallbackLng: false, // the dictionaries are complete, or they do not compile
    resources: { en: { translation: en }, ko: { translation: ko } },
    initAsync: false,
    interpolation: { escapeValue: false }, // React escapes what it shows
    returnNull: false,
  });
  document.documentElement.lang = code;
  return instance;
}

export { DICTIONARIES };
