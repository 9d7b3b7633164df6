import { en, type Messages } from "./en";
import { ko } from "./ko";

const DICTIONARIES = { en, ko } satisfies Record<string, Messages>;
const STORED_AS = "mien.language";

export type LanguageCode = keyof typeof DICTIONARIES;

/** The language of the page: the one chosen before, else the browser's first that we speak, else English. */
export class Language {
  private readonly changed = new EventTarget();
  private chosen: LanguageCode;

  constructor(
    preferred: readonly string[] = navigator.languages,
    private readonly storage: Pick<Storage, "getItem" | "setItem"> = safeStorage(),
  ) {
    const stored = storage.getItem(STORED_AS);
    this.chosen = isSpoken(stored) ? stored : (preferred.map(base).find(isSpoken) ?? "en");
    document.documentElement.lang = this.chosen;
  }

  get code(): LanguageCode {
    return this.chosen;
  }

  get messages(): Messages {
    return DICTIONARIES[this.chosen];
  }

  /** Every language with its own name, in a fixed order. */
  get all(): { code: LanguageCode; name: string }[] {
    return [
      { code: "en", name: en.languageName },
      { code: "ko", name: ko.languageName },
    ];
  }

  choose(code: LanguageCode): void {
    this.chosen = code;
    this.storage.setItem(STORED_AS, code);
    document.documentElement.lang = code;
    this.changed.dispatchEvent(new Event("change"));
  }

  onChange(listener: () => void): void {
    this.changed.addEventListener("change", listener);
  }
}

function base(tag: string): string {
  return tag.toLowerCase().split("-")[0] ?? "";
}

function isSpoken(code: string | null): code is LanguageCode {
  return code !== null && Object.hasOwn(DICTIONARIES, code);
}

/** Storage can be forbidden by the browser's settings; then the choice lives as long as the page. */
function safeStorage(): Pick<Storage, "getItem" | "setItem"> {
  try {
    return window.localStorage;
  } catch {
    return { getItem: () => null, setItem: () => undefined };
  }
}
