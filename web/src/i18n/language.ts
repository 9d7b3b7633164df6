import { en } from "./en";
import { ko } from "./ko";

const STORED_AS = "mien.language";

/** Every language that the pages speak, by its own name. */
export const LANGUAGES = [
  { code: "en", name: en.languageName },
  { code: "ko", name: ko.languageName },
] as const;

export type LanguageCode = (typeof LANGUAGES)[number]["code"];

/** The language of the page: the one chosen before, else the browser's first that we speak, else English. */
export function chosenLanguage(
  preferred: readonly string[] = navigator.languages,
  storage: Pick<Storage, "getItem"> = safeStorage(),
): LanguageCode {
  const stored = storage.getItem(STORED_AS);
  return isSpoken(stored) ? stored : (preferred.map(base).find(isSpoken) ?? "en");
}

/** Remember a choice for all pages. */
export function rememberLanguage(
  code: LanguageCode,
  storage: Pick<Storage, "setItem"> = safeStorage(),
): void {
  storage.setItem(STORED_AS, code);
}

export function isSpoken(code: string | null): code is LanguageCode {
  return LANGUAGES.some((language) => language.code === code);
}

function base(tag: string): string {
  return tag.toLowerCase().split("-")[0] ?? "";
}

/** Storage can be forbidden by the browser's settings; then the choice lives as long as the page. */
function safeStorage(): Pick<Storage, "getItem" | "setItem"> {
  try {
    return window.localStorage;
  } catch {
    return { getItem: () => null, setItem: () => undefined };
  }
}
