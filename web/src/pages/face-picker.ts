import type { Api, Persona } from "../api/client";
import { below } from "../api/place";
import {
  hiding,
  type MosaicLook,
  type MosaicShape,
  type MosaicStyle,
  type Policy,
  swapping,
} from "../api/policy";
import { type PhotoFindings, Problem } from "../api/problem";
import type { Language } from "../i18n/language";
import { icon } from "../ui/icons";
import { View } from "../ui/view";

const STYLES: readonly MosaicStyle[] = ["cells", "blur", "solid"];
const SHAPES: readonly MosaicShape[] = ["box", "head"];

type FaceKind = "mask" | "photo" | "mosaic";

/** As many photos of one face as the server combines. */
export const MOST_PHOTOS = 5;

/** What has become of the person's own photos. */
export type PhotosState =
  | { kind: "none" }
  | { kind: "chosen" }
  | { kind: "uploading" }
  | { kind: "refused"; problem: Problem }
  | { kind: "ready"; persona: string };

/** A photo that was chosen; `found` is what the server said of it, null before it was asked. */
interface Photo {
  file: File;
  url: string;
  found: PhotoFindings | null;
}

export interface FacePickerOptions {
  api: Pick<Api, "personas" | "addReference">;
  language: Language;
  /** Called when the policy may have changed. */
  onChange: () => void;
  /** Called when the server refuses a photo. */
  onProblem: (problem: Problem) => void;
}

/** The choice of what happens to faces: a mask, photos of one face, or a mosaic for everyone. */
export class FacePicker {
  readonly element: HTMLElement;
  private kind: FaceKind = "mask";
  private everybody = false;
  private mask: string | null = null;
  private masks: readonly Persona[] = [];
  private masksFailed = false;
  private state: PhotosState = { kind: "none" };
  private photos: readonly Photo[] = [];
  private tooMany = false;
  private agreed = false;
  private declaredBy = "";
  private dragging = false;
  private look: MosaicLook = {};
  private readonly view = new View();
  private readonly cards = this.view.el("div", { class: "masks" });
  private readonly list = this.view.el("ul", { class: "photos" });

  constructor(private readonly options: FacePickerOptions) {
    this.element = this.view.el(
      "fieldset",
      { class: "panel" },
      this.view.el("legend", {}, () => this.messages.face.heading),
      this.kinds(),
      this.maskChoice(),
      this.photoChoice(),
      this.everybodyChoice(),
      this.mosaicChoice(),
    );
  }

  /** What was chosen; null while a mask or a photo is still to be chosen. */
  get policy(): Policy | null {
    if (this.kind === "mosaic") return hiding(this.look);
    const ready = this.state.kind === "ready" ? this.state.persona : null;
    const persona = this.kind === "mask" ? this.mask : ready;
    if (persona === null) return null;
    return swapping(persona, this.everybody ? "everyone" : "primary", this.look);
  }

  /** What is missing for a policy, in words; null when nothing is. */
  get missing(): string | null {
    if (this.policy !== null) return null;
    return this.kind === "mask" ? this.messages.face.needsMask : this.messages.face.needsPhoto;
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

  /** Some words are built with what they belong to: titles of masks, advice on photos. */
  translate(): void {
    this.showMasks();
    this.showPhotos();
  }

  private showMasks(): void {
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
          this.view.el("img", { src: below(mask.preview_url), alt: "", loading: "lazy" }),
          this.view.el("span", {}, mask.title[code]),
        ),
      ),
    );
  }

  private get messages() {
    return this.options.language.messages;
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
        view.el("strong", {}, () => this.messages.face[kind]),
        view.el("span", {}, () => this.messages.face[`${kind}More`]),
      );
    return view.el("div", { class: "kinds" }, choice("mask"), choice("photo"), choice("mosaic"));
  }

  private maskChoice(): HTMLElement {
    const { view } = this;
    return view.el(
      "div",
      { role: "group", "aria-label": () => this.messages.face.masks, hidden: () => this.kind !== "mask" },
      this.cards,
      view.el(
        "p",
        { class: "problem", role: "alert", hidden: () => !this.masksFailed },
        () => this.messages.face.masksFailed,
        " ",
        view.el(
          "button",
          { type: "button", class: "link", on: { click: () => void this.load() } },
          () => this.messages.retry,
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
        () => this.messages.face.everybody,
        this.view.el("small", {}, () => this.messages.face.everybodyMore),
      ),
    );
  }

  /** Offered beside a swap too: whoever is in doubt gets a mosaic, whatever is chosen. */
  private mosaicChoice(): HTMLElement {
    const { view } = this;
    const messages = () => this.messages.face;
    const select = <T extends string>(
      name: string,
      label: () => string,
      options: readonly (readonly [T, () => string])[],
      choose: (value: T | null) => void,
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
              change: ({ target }) =>
                this.change(() => choose(((target as HTMLSelectElement).value || null) as T | null)),
            },
          },
          view.el("option", { value: "" }, () => messages().serverChoice),
          ...options.map(([value, text]) => view.el("option", { value }, text)),
        ),
      );
    return view.el(
      "div",
      { class: "mosaic-choice" },
      select(
        "mosaic-style",
        () => messages().mosaicStyle,
        STYLES.map((style) => [style, () => messages().mosaicStyles[style]] as const),
        (style) => (this.look = { ...this.look, style }),
      ),
      select(
        "mosaic-shape",
        () => messages().mosaicShape,
        SHAPES.map((shape) => [shape, () => messages().mosaicShapes[shape]] as const),
        (shape) => (this.look = { ...this.look, shape }),
      ),
    );
  }

  private photoChoice(): HTMLElement {
    const { view } = this;
    const messages = () => this.messages.face;
    const count = () => this.photos.length;
    const isReady = () => this.state.kind === "ready";
    const isUploading = () => this.state.kind === "uploading";
    return view.el(
      "div",
      { class: "photo", hidden: () => this.kind !== "photo" },
      view.el(
        "div",
        { role: "group", "aria-label": () => messages().photos, hidden: () => count() === 0 },
        this.list,
      ),
      view.el(
        "label",
        {
          class: "drop",
          "data-dragging": () => this.dragging,
          hidden: () => count() === MOST_PHOTOS || isUploading(),
          on: {
            dragover: (event) => this.drag(event, true),
            dragleave: (event) => this.drag(event, false),
            drop: (event) => {
              this.drag(event, false);
              this.take(event.dataTransfer?.files);
            },
          },
        },
        view.el("input", {
          type: "file",
          name: "photo",
          multiple: true,
          accept: "image/jpeg,image/png,image/webp",
          on: {
            change: ({ target }) => {
              const input = target as HTMLInputElement;
              this.take(input.files);
              input.value = ""; // or a photo that was removed could not be chosen again
            },
          },
        }),
        icon("photo"),
        view.el("strong", {}, () => (count() === 0 ? messages().drop : messages().add)),
        view.el("span", {}, () =>
          count() === 0 ? messages().dropMore(MOST_PHOTOS) : messages().addMore(MOST_PHOTOS - count()),
        ),
      ),
      view.el("p", { class: "quiet", role: "status", hidden: () => !this.tooMany }, () =>
        messages().full(MOST_PHOTOS),
      ),
      view.el(
        "p",
        { class: "problem", role: "alert", hidden: () => this.refusal === "" },
        () => this.refusal,
      ),
      view.el(
        "div",
        { class: "declaration", hidden: () => count() === 0 || isReady() },
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
          view.el("span", {}, () => messages().agree),
        ),
        view.el(
          "label",
          { class: "field" },
          view.el("span", {}, () => messages().declaredBy),
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
          view.el("small", {}, () => messages().declaredByHint),
        ),
        view.el(
          "button",
          {
            type: "button",
            class: "button",
            name: "upload",
            disabled: () => !this.agreed || this.declaredBy.trim() === "" || isUploading(),
            on: { click: () => void this.upload() },
          },
          view.el("span", { class: "spinner", hidden: () => !isUploading() }),
          () => (isUploading() ? messages().uploading(count()) : messages().upload(count())),
        ),
      ),
      view.el("p", { class: "done", role: "status", hidden: () => !isReady() }, icon("check"), () =>
        messages().ready(count()),
      ),
      view.el(
        "p",
        { class: "quiet", hidden: () => !isReady() || this.photos.every(isGood) },
        () => messages().couldBeBetter,
      ),
    );
  }

  private showPhotos(): void {
    const { code } = this.options.language;
    const { face } = this.messages;
    const { view } = this;
    const advice = (found: PhotoFindings) =>
      found.findings.map(({ severity, advice }) =>
        view.el(
          "li",
          { "data-severity": severity },
          icon(severity === "refuse" ? "alert" : "info"),
          advice[code],
        ),
      );
    const said = (photo: Photo) => {
      if (photo.found === null) return view.el("span", { class: "quiet" }, face.unseen);
      if (isGood(photo)) return view.el("span", { class: "done" }, icon("check"), face.good);
      return view.el("ul", { class: "advice" }, advice(photo.found));
    };
    this.list.replaceChildren(
      ...this.photos.map((photo) =>
        view.el(
          "li",
          {},
          view.el("img", { src: photo.url, alt: photo.file.name }),
          said(photo),
          view.el(
            "button",
            {
              type: "button",
              class: "link",
              name: "remove",
              "aria-label": face.remove(photo.file.name),
              disabled: this.state.kind === "uploading",
              on: { click: () => this.remove(photo) },
            },
            icon("close"),
          ),
        ),
      ),
    );
  }

  private get refusal(): string {
    if (this.state.kind !== "refused") return "";
    const { problem } = this.state;
    // With several photos the code is that of the first bad one; beside each stands what is wrong with it.
    const isOfOne = problem.photos.length > 1 && problem.code !== "photo.different_people";
    return isOfOne ? this.messages.face.someRefused : problem.say(this.messages);
  }

  private drag(event: DragEvent, over: boolean): void {
    event.preventDefault();
    this.dragging = over;
    this.view.refresh();
  }

  private changePhotos(photos: readonly Photo[], state: PhotosState): void {
    this.photos = photos;
    this.change(() => (this.state = state));
    this.showPhotos();
  }

  private take(files: FileList | readonly File[] | null | undefined): void {
    const chosen = [...(files ?? [])];
    if (chosen.length === 0 || this.state.kind === "uploading") return;
    const room = MOST_PHOTOS - this.photos.length;
    this.tooMany = chosen.length > room;
    this.agreed = false; // the declaration was about the photos before
    const added = chosen
      .slice(0, room)
      .map((file) => ({ file, url: URL.createObjectURL(file), found: null }));
    this.changePhotos([...this.photos, ...added], { kind: "chosen" });
  }

  private remove(photo: Photo): void {
    URL.revokeObjectURL(photo.url);
    this.tooMany = false;
    const photos = this.photos.filter((other) => other !== photo);
    this.changePhotos(photos, { kind: photos.length === 0 ? "none" : "chosen" });
  }

  private async upload(): Promise<void> {
    const { photos } = this;
    this.changePhotos(photos, { kind: "uploading" });
    try {
      const files = photos.map(({ file }) => file);
      const { code } = this.options.language;
      const answer = await this.options.api.addReference(files, this.declaredBy.trim(), code);
      this.changePhotos(judged(photos, answer.photos), { kind: "ready", persona: answer.id });
    } catch (error) {
      const problem = Problem.from(error);
      this.changePhotos(judged(photos, problem.photos), { kind: "refused", problem });
      this.options.onProblem(problem);
    }
  }
}

function judged(photos: readonly Photo[], found: readonly PhotoFindings[]): readonly Photo[] {
  return photos.map((photo, i) => ({ ...photo, found: found[i] ?? photo.found }));
}

function isGood({ found }: Photo): boolean {
  return found?.findings.length === 0;
}
