import type { Language } from "../i18n/language";
import { icon } from "../ui/icons";
import { View } from "../ui/view";
import type { CameraError } from "../webrtc/camera";

/** What to do about a camera or a microphone that cannot be had. */
export interface Ways {
  /** Do again what failed. */
  retry: () => void;
  /** Do it with another camera; null where there is no other. */
  otherCamera: (() => void) | null;
  /** Do it without the microphone. */
  silently: () => void;
}

/** Says on the stage why there is no camera, and offers what to do: the stage is what everybody looks at. */
export class StageFault {
  readonly element: HTMLElement;
  private error: CameraError | null = null;
  private ways: Ways | null = null;
  private readonly view = new View();

  constructor(private readonly language: Language) {
    const { view } = this;
    const messages = () => language.messages;
    const way = (
      name: string,
      kind: string,
      shows: () => boolean,
      label: () => string,
      go: (ways: Ways) => void,
    ) =>
      view.el(
        "button",
        {
          type: "button",
          name,
          class: `button ${kind}`,
          hidden: () => !shows(),
          on: { click: () => this.ways && go(this.ways) },
        },
        label,
      );
    this.element = view.el(
      "div",
      {
        class: "stage-fault",
        role: "group",
        tabindex: -1,
        "aria-labelledby": "fault-what",
        "aria-describedby": "fault-more",
        "data-fault": () => this.error?.fault,
        hidden: () => this.error === null,
      },
      view.el("span", { class: "wrap fault-art" }, icon("alert")),
      view.el("strong", { id: "fault-what" }, () => this.said?.what),
      view.el("p", { id: "fault-more" }, () => this.said?.advice),
      view.el(
        "div",
        { class: "fault-ways" },
        way(
          "fault-retry",
          "primary",
          () => this.error?.isWorthARetry ?? false,
          () => messages().retry,
          ({ retry }) => retry(),
        ),
        way(
          "fault-other",
          "",
          () => (this.error?.isOfThisCamera ?? false) && this.ways?.otherCamera != null,
          () => messages().camera.otherCamera,
          ({ otherCamera }) => otherCamera?.(),
        ),
        way(
          "fault-silent",
          "",
          () => this.error?.isOfMicrophone ?? false,
          () => messages().camera.without,
          ({ silently }) => silently(),
        ),
      ),
    );
  }

  get isShown(): boolean {
    return this.error !== null;
  }

  /** Say what is wrong and move the focus there, so that eyes, keys and screen readers find it. */
  show(error: CameraError, ways: Ways): void {
    this.error = error;
    this.ways = ways;
    this.refresh();
    this.element.focus({ preventScroll: true });
    this.element.scrollIntoView?.({ block: "nearest" });
  }

  clear(): void {
    this.error = null;
    this.ways = null;
    this.refresh();
  }

  refresh(): void {
    this.view.refresh();
  }

  private get said() {
    return this.error?.say(this.language.messages) ?? null;
  }
}
