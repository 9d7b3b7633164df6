import type { Language } from "../i18n/language";
import { View } from "../ui/view";

export interface StopQuestionOptions {
  language: Language;
  /** How many watch just now; null where that is not known. */
  watching: () => number | null;
  end: () => void;
}

/**
 * Asks once more before a broadcast ends for good, and says what viewers will see.
 *
 * A modal dialog of the browser's own: it takes the focus and gives it back, keeps the Tab key inside, and Escape
 * stays on air. The first focus is on staying, so that a key that repeats, or a second click, ends nothing.
 */
export class StopQuestion {
  readonly element: HTMLDialogElement;
  private readonly view = new View();
  private readonly stay: HTMLButtonElement;

  constructor(options: StopQuestionOptions) {
    const { view } = this;
    const messages = () => options.language.messages.stopAsk;
    const watching = () => options.watching() ?? 0;
    const button = (name: string, kind: string, label: () => string, click: () => void) =>
      view.el("button", { type: "button", name, class: `button ${kind}`, on: { click } }, label);
    this.stay = button(
      "stay",
      "primary",
      () => messages().stay,
      () => this.close(),
    );
    this.element = view.el(
      "dialog",
      { class: "stop-question", "aria-labelledby": "stop-heading", "aria-describedby": "stop-more" },
      view.el("h2", { id: "stop-heading" }, () => messages().heading),
      view.el(
        "p",
        { id: "stop-more" },
        () => messages().more,
        " ",
        () => (watching() > 0 ? messages().watching(watching()) : ""),
      ),
      view.el(
        "div",
        { class: "stop-choices" },
        this.stay,
        button(
          "end",
          "stop",
          () => messages().end,
          () => {
            this.close();
            options.end();
          },
        ),
      ),
    );
  }

  ask(): void {
    if (this.element.open) return;
    this.refresh();
    this.element.showModal();
    this.stay.focus();
  }

  /** Take the question back: it was answered, or the broadcast has ended by itself. */
  close(): void {
    if (this.element.open) this.element.close();
  }

  refresh(): void {
    this.view.refresh();
  }
}
