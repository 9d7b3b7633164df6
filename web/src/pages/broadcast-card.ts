import type { Broadcast } from "../api/client";
import { below } from "../api/place";
import { treatmentOf } from "../api/policy";
import type { Language } from "../i18n/language";
import { alteredBadge } from "../ui/frame";
import { icon } from "../ui/icons";
import { View } from "../ui/view";

const PICTURE_MS = 5_000;

/** One broadcast in a list: its treated picture, a new one every five seconds, or a plain ground without one. */
export class BroadcastCard {
  readonly element: HTMLElement;
  private hasPicture = false;
  private readonly view = new View();

  constructor(
    private broadcast: Broadcast,
    language: Language,
  ) {
    const { view } = this;
    const messages = () => language.messages;
    const treatment = () => treatmentOf(this.broadcast.policy);
    const art = (kind: "swap" | "mosaic", name: "mask" | "mosaic") =>
      view.el("span", { class: "wrap", hidden: () => treatment() !== kind }, icon(name));
    this.element = view.el(
      "li",
      {},
      view.el(
        "a",
        { class: "card", href: below(broadcast.watch_url) },
        view.el(
          "span",
          { class: "card-art", "data-treatment": treatment },
          art("swap", "mask"),
          art("mosaic", "mosaic"),
          view.el("img", {
            class: "card-picture",
            alt: "",
            src: () => this.pictureUrl(),
            hidden: () => !this.hasPicture,
            on: { load: () => this.loaded(true), error: () => this.loaded(false) },
          }),
          view.el("span", { class: "badge badge-live" }, () => messages().viewer.live),
        ),
        view.el("strong", { class: "card-title" }, () => this.broadcast.title || messages().untitled),
        view.el(
          "span",
          { class: "card-facts" },
          alteredBadge(view, language),
          view.el("span", {}, () => messages().treatment[treatment()]),
          view.el("span", {}, () => messages().viewers(this.broadcast.viewers)),
        ),
      ),
    );
  }

  /** Show what the broadcast has become; after five seconds that asks for its new picture too. */
  show(broadcast: Broadcast): void {
    this.broadcast = broadcast;
    this.view.refresh();
  }

  /** Browsers keep the old picture until the new one is there, but would not ask twice for the same address. */
  private pictureUrl(): string {
    return `${below(this.broadcast.thumbnail_url)}?at=${Math.floor(Date.now() / PICTURE_MS)}`;
  }

  private loaded(has: boolean): void {
    this.hasPicture = has;
    this.view.refresh();
  }
}
