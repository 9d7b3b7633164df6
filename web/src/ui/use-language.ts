import { useTranslation } from "react-i18next";
import { isSpoken, type LanguageCode } from "../i18n/language";

/** The page's language, for words that come from the server in all of them. */
export function useLanguage(): LanguageCode {
  const { language } = useTranslation().i18n;
  return isSpoken(language) ? language : "en";
}
