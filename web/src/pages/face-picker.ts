import type { Api, MosaicShape, MosaicStyle, MosaicWish, Persona, Wish } from "../api/client";
import { Problem } from "../api/problem";
import { icon } from "../ui/icons";
import { View } from "../ui/view";
import type { Language } from "../words/language";

const STYLES: readonly MosaicStyle[] = ["cells", "blur", "solid"];
const SHAPES: readonly MosaicShape[] = ["box", "head"];

type FaceKind = "mask" | "photo" | "mosaic";

/** What has become of the person's own photo. */
export type PhotoState =
  | { kind: "none" }
  | { kind: "chosen"; file: File }
  | { kind: "uploading"; file: File }
  | { kind: "refused"; file: File; problem: Problem }
  | { kind: "ready"; file: File; persona: string; notes: readonly string[] };

export interface FacePickerOptions {
  api: Pick<Api, "personas" | "addReference">;
  language: Language;
  /** Called when the wish may have changed. */
  onChange: () => void;
  /** Called when the server refuses a photo. */
  onProblem: (problem: Problem) => void;
}

/** The choice of what happens to faces: a mask, one's own photo, or a mosaic for everyone. */
export class FacePicker {
  readonly element: HTMLElement;
  private kind: FaceKind = "mask";
  private everybody = false;
  private mask: string | null = null;
  private masks: readonly Persona[] = [];
  private masksFailed = false;
  private photo: PhotoState = { kind: "none" };
  private agreed = false;
  private declaredBy = "";
  private dragging = false;
  private mosaic: MosaicWish = {};
  private readonly view = new View();
  private readonly cards = this.view.el("div", { class: "masks" });
  private readonly picture = this.view.el("img", { class: "photo-picture", alt: "" });

  constructor(private readonly options: FacePickerOptions) {
    this.element = this.view.el(
      "fieldset",
      { class: "panel" },
      this.view.el("legend", {}, () => this.words.face.heading),
      this.kinds(),
      this.maskChoice(),
      this.photoChoice(),
      this.everybodyChoice(),
      this.mosaicChoice(),
    );
  }

  /** What is wished for; null while a mask or a photo is still to be chosen. */
  get wish(): Wish | null {
    if (this.kind === "mosaic") return { treatment: "mosaic", ...this.mosaic };
    const ready = this.photo.kind === "ready" ? this.photo.persona : null;
    const persona = this.kind === "mask" ? this.mask : ready;
    if (persona === null) return null;
    return { treatment: "swap", persona, others: this.everybody ? "swap" : "mosaic", ...this.mosaic };
  }

  /** What is missing for a wish, in words; null when nothing is. */
  get missing(): string | null {
    if (this.wish !== null) return null;
    return this.kind === "mask" ? this.words.face.needsMask : this.words.face.needsPhoto;
  }

  async load(): Promise<void> {
    try {
      this.masks = await this.options.api.personas();
      this.masksFailed = false;
      this.mask ??= this.masks[0]?.id ?? null;
    } catch {
      this.masksFailed = true;
    }
    this.change(() => undefined);
    this.showMasks();
  }

  refresh(): void {
    this.view.refresh();
  }

  /** Titles are the only words that are built with the cards, so a new language builds them anew. */
  showMasks(): void {
    const { code } = this.options.language;
    this.cards.replaceChildren(
      ...this.masks.map((mask) =>
        this.view.el(
          "label",
          { class: "mask" },
          this.view.el("input", {
            type: "radio",
            name: "mask",
            value: mask.id,
            checked: mask.id === this.mask,
            on: { change: () => this.change(() => (this.mask = mask.id)) },
          }),
          this.view.el("img", { src: mask.preview_url, alt: "", loading: "lazy" }),
          this.view.el("span", {}, mask.title[code]),
        ),
      ),
    );
  }

  private get words() {
    return this.options.language.words;
  }

  private change(apply: () => void): void {
    apply();
    this.view.refresh();
    this.options.onChange();
  }

  private kinds(): HTMLElement {
    const { view } = this;
    const choice = (kind: FaceKind) =>
      view.el(
        "label",
        { class: "kind" },
        view.el("input", {
          type: "radio",
          name: "kind",
          value: kind,
          checked: kind === this.kind,
          on: { change: () => this.change(() => (this.kind = kind)) },
        }),
        icon(kind),
        view.el("strong", {}, () => this.words.face[kind]),
        view.el("span", {}, () => this.words.face[`${kind}More`]),
      );
    return view.el("div", { class: "kinds" }, choice("mask"), choice("photo"), choice("mosaic"));
  }

  private maskChoice(): HTMLElement {
    const { view } = this;
    return view.el(
      "div",
      { role: "group", "aria-label": () => this.words.face.masks, hidden: () => this.kind !== "mask" },
      this.cards,
      view.el(
        "p",
        { class: "problem", role: "alert", hidden: () => !this.masksFailed },
        () => this.words.face.masksFailed,
        " ",
        view.el(
          "button",
          { type: "button", class: "link", on: { click: () => void this.load() } },
          () => this.words.retry,
        ),
      ),
    );
  }

  private everybodyChoice(): HTMLElement {
    return this.view.el(
      "label",
      { class: "check", hidden: () => this.kind === "mosaic" },
      this.view.el("input", {
        type: "checkbox",
        name: "everybody",
        on: {
          change: ({ target }) => this.change(() => (this.everybody = (target as HTMLInputElement).checked)),
        },
      }),
      this.view.el(
        "span",
        {},
        () => this.words.face.everybody,
        this.view.el("small", {}, () => this.words.face.everybodyMore),
      ),
    );
  }

  /** Offered beside a swap too: whoever is in doubt gets a mosaic, whatever is wished. */
  private mosaicChoice(): HTMLElement {
    const { view } = this;
    const words = () => this.words.face;
    const select = <T extends string>(
      name: string,
      label: () => string,
      chosen: () => T | undefined,
      options: readonly (readonly [T, () => string])[],
      choose: (value: T) => void,
    ) =>
      view.el(
        "label",
        { class: "field" },
        view.el("span", {}, label),
        view.el(
          "select",
          {
            name,
            on: {
              change: ({ target }) => this.change(() => choose((target as HTMLSelectElement).value as T)),
            },
          },
          // On air nothing brings the server's choice back, so it is offered only until another is made.
          view.el("option", { value: "", hidden: () => chosen() !== undefined }, () => words().serverChoice),
          ...options.map(([value, text]) => view.el("option", { value }, text)),
        ),
      );
    return view.el(
      "div",
      { class: "mosaic-choice" },
      select(
        "mosaic-style",
        () => words().mosaicStyle,
        () => this.mosaic.mosaic_style,
        STYLES.map((style) => [style, () => words().mosaicStyles[style]] as const),
        (style) => (this.mosaic = { ...this.mosaic, mosaic_style: style }),
      ),
      select(
        "mosaic-shape",
        () => words().mosaicShape,
        () => this.mosaic.mosaic_shape,
        SHAPES.map((shape) => [shape, () => words().mosaicShapes[shape]] as const),
        (shape) => (this.mosaic = { ...this.mosaic, mosaic_shape: shape }),
      ),
    );
  }

  private photoChoice(): HTMLElement {
    const { view } = this;
    const words = () => this.words.face;
    const isNew = () => this.photo.kind === "none";
    const isReady = () => this.photo.kind === "ready";
    return view.el(
      "div",
      { class: "photo", hidden: () => this.kind !== "photo" },
      view.el(
        "label",
        {
          class: "drop",
          "data-dragging": () => this.dragging,
          on: {
            dragover: (event) => this.drag(event, true),
            dragleave: (event) => this.drag(event, false),
            drop: (event) => {
              this.drag(event, false);
              this.take(event.dataTransfer?.files[0]);
            },
          },
        },
        view.el("input", {
          type: "file",
          name: "photo",
          accept: "image/jpeg,image/png,image/webp",
          on: { change: ({ target }) => this.take((target as HTMLInputElement).files?.[0]) },
        }),
        this.picture,
        icon("photo"),
        view.el("strong", {}, () => (isNew() ? words().drop : words().change)),
        view.el("span", {}, () =>
          this.photo.kind === "none" ? words().dropMore : words().chosen(this.photo.file.name),
        ),
      ),
      view.el(
        "div",
        { class: "declaration", hidden: () => isNew() || isReady() },
        view.el(
          "label",
          { class: "check" },
          view.el("input", {
            type: "checkbox",
            name: "agreed",
            checked: () => this.agreed,
            on: {
              change: ({ target }) => this.change(() => (this.agreed = (target as HTMLInputElement).checked)),
            },
          }),
          view.el("span", {}, () => words().agree),
        ),
        view.el(
          "label",
          { class: "field" },
          view.el("span", {}, () => words().declaredBy),
          view.el("input", {
            type: "text",
            name: "declared-by",
            autocomplete: "name",
            maxlength: 100,
            on: {
              input: ({ target }) =>
                this.change(() => (this.declaredBy = (target as HTMLInputElement).value)),
            },
          }),
          view.el("small", {}, () => words().declaredByHint),
        ),
        view.el(
          "button",
          {
            type: "button",
            class: "button",
            name: "upload",
            disabled: () => !this.agreed || this.declaredBy.trim() === "" || this.photo.kind === "uploading",
            on: { click: () => void this.upload() },
          },
          view.el("span", { class: "spinner", hidden: () => this.photo.kind !== "uploading" }),
          () => (this.photo.kind === "uploading" ? words().uploading : words().upload),
        ),
      ),
      view.el(
        "p",
        { class: "done", role: "status", hidden: () => !isReady() },
        icon("check"),
        () => words().ready,
      ),
      view.el("p", { class: "quiet", hidden: () => this.notes === "" }, () => this.notes),
      view.el(
        "p",
        { class: "problem", role: "alert", hidden: () => this.refusal === "" },
        () => this.refusal,
      ),
    );
  }

  private get notes(): string {
    return this.photo.kind === "ready" ? this.photo.notes.join(" ") : "";
  }

  private get refusal(): string {
    return this.photo.kind === "refused" ? this.photo.problem.say(this.options.language.words) : "";
  }

  private drag(event: DragEvent, over: boolean): void {
    event.preventDefault();
    this.dragging = over;
    this.view.refresh();
  }

  private take(file: File | undefined): void {
    if (file === undefined) return;
    URL.revokeObjectURL(this.picture.src);
    this.picture.src = URL.createObjectURL(file);
    // The declaration was about the photo before.
    this.change(() => {
      this.photo = { kind: "chosen", file };
      this.agreed = false;
    });
  }

  private async upload(): Promise<void> {
    if (this.photo.kind === "none") return;
    const { file } = this.photo;
    this.change(() => (this.photo = { kind: "uploading", file }));
    try {
      const { id, notes } = await this.options.api.addReference(
        file,
        this.declaredBy.trim(),
        this.options.language.code,
      );
      this.settle(file, { kind: "ready", file, persona: id, notes });
    } catch (error) {
      const problem = Problem.from(error);
      this.settle(file, { kind: "refused", file, problem });
      this.options.onProblem(problem);
    }
  }

  /** Take in the server's answer, unless another photo was chosen meanwhile. */
  private settle(file: File, state: PhotoState): void {
    if (this.photo.kind === "uploading" && this.photo.file === file) this.change(() => (this.photo = state));
  }
}
