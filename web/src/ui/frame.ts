import { below } from "../api/place";
import logoUrl from "../favicon.svg";
import type { Language } from "../i18n/language";
import type { View } from "./view";

/** What stands around every page: the name that leads home, the language switch, and `main`. */
export function frame(view: View, language: Language, main: HTMLElement): HTMLElement[] {
  const messages = () => language.messages;
  const choices = language.all.map(({ code, name }) =>
    view.el(
      "button",
      {
        type: "button",
        lang: code,
        class: "language-choice",
        "aria-pressed": () => String(language.code === code),
        on: { click: () => language.choose(code) },
      },
      name,
    ),
  );
  const logo = view.el("img", { src: logoUrl, alt: "", width: 28, height: 28 });
  const header = view.el(
    "header",
    { class: "top" },
    view.el(
      "a",
      { class: "wordmark", href: below("/"), "aria-label": () => `mien, ${messages().home}` },
      logo,
      "mien",
    ),
    view.el("div", { class: "languages", role: "group", "aria-label": () => messages().language }, choices),
  );
  return [header, main];
}

/** The mark that every altered picture wears on the page too, beside the one in the picture itself. */
export function alteredBadge(view: View, language: Language): HTMLElement {
  return view.el(
    "span",
    { class: "badge badge-altered", title: () => language.messages.alteredMore },
    () => language.messages.altered,
  );
}
