import type { Api, Broadcast } from "../api/client";
import { below } from "../api/place";
import type { Language } from "../i18n/language";
import { frame } from "../ui/frame";
import { type IconName, icon } from "../ui/icons";
import { View } from "../ui/view";
import { BroadcastCard } from "./broadcast-card";

const POLL_MS = 3_000;

export type HomeState =
  | { kind: "loading" }
  | { kind: "listed"; broadcasts: readonly Broadcast[] }
  | { kind: "unreachable" };

/** `/`: what mien is, who is live, and the way to go live. */
export class HomePage {
  private state: HomeState = { kind: "loading" };
  private readonly view = new View();
  private readonly masks = this.view.el("div", { class: "hero-masks", "aria-hidden": "true" });
  private cards = new Map<string, BroadcastCard>();
  private readonly list = this.view.el("ul", { class: "broadcasts", role: "list" });

  constructor(
    private readonly api: Pick<Api, "broadcasts" | "personas">,
    private readonly language: Language,
  ) {
    language.onChange(() => this.render());
  }

  mount(body: HTMLElement): void {
    body.append(...frame(this.view, this.language, this.main()));
    this.render();
    void this.poll();
    void this.showMasks();
  }

  /** Ask for the list now, and again while somebody looks at the page. */
  async poll(): Promise<void> {
    if (!document.hidden) await this.load();
    setTimeout(() => void this.poll(), POLL_MS);
  }

  /** The masks are an ornament here: without them the page says all the same. */
  async showMasks(): Promise<void> {
    const personas = await this.api.personas().catch(() => []);
    const pictures = personas
      .slice(0, 3)
      .map(({ preview_url }) => this.view.el("img", { src: below(preview_url), alt: "" }));
    this.masks.replaceChildren(...pictures);
  }

  async load(): Promise<void> {
    try {
      const broadcasts = await this.api.broadcasts();
      this.state = { kind: "listed", broadcasts: broadcasts.filter(isOnAir) };
    } catch {
      this.state = { kind: "unreachable" };
    }
    this.render();
  }

  private main(): HTMLElement {
    const { view } = this;
    const messages = () => this.language.messages;
    const pillar = (name: "swap" | "mosaic" | "label", iconName: IconName) =>
      view.el(
        "li",
        {},
        icon(iconName),
        view.el("strong", {}, () => messages().pillars[name]),
        view.el("span", {}, () => messages().pillars[`${name}More`]),
      );
    return view.el(
      "main",
      { class: "home" },
      view.el(
        "section",
        { class: "hero" },
        this.masks,
        view.el("h1", {}, () => messages().appLine),
        view.el("p", { class: "lead" }, () => messages().appMore),
        view.el(
          "a",
          { class: "button primary large", href: below("/live") },
          icon("camera"),
          () => messages().goLive,
        ),
        view.el(
          "ul",
          { class: "pillars", role: "list" },
          pillar("swap", "mask"),
          pillar("mosaic", "mosaic"),
          pillar("label", "label"),
        ),
      ),
      view.el(
        "section",
        { class: "now", "aria-labelledby": "now" },
        view.el("h2", { id: "now" }, () => messages().liveNow),
        view.el("p", { class: "quiet", role: "status", hidden: () => this.notice() === "" }, () =>
          this.notice(),
        ),
        view.el(
          "div",
          {
            class: "empty",
            hidden: () => !(this.state.kind === "listed" && this.state.broadcasts.length === 0),
          },
          icon("eye"),
          view.el("strong", {}, () => messages().nobodyLive),
          view.el("span", {}, () => messages().nobodyLiveMore),
        ),
        this.list,
      ),
    );
  }

  private notice(): string {
    switch (this.state.kind) {
      case "loading":
        return this.language.messages.loading;
      case "unreachable":
        return this.language.messages.listFailed;
      case "listed":
        return "";
    }
  }

  private render(): void {
    this.view.refresh();
    document.title = `mien · ${this.language.messages.appLine}`;
    // While the server cannot be reached, what was last known stays.
    if (this.state.kind === "listed") this.show(this.state.broadcasts);
  }

  /** Cards that stay are kept: one that is made anew would load its picture anew. */
  private show(broadcasts: readonly Broadcast[]): void {
    const before = this.cards;
    this.cards = new Map(
      broadcasts.map((each) => [each.id, before.get(each.id) ?? new BroadcastCard(each, this.language)]),
    );
    for (const each of broadcasts) this.cards.get(each.id)?.show(each);
    const elements = [...this.cards.values()].map(({ element }) => element);
    const shown = [...this.list.children];
    if (elements.length !== shown.length || elements.some((element, place) => element !== shown[place]))
      this.list.replaceChildren(...elements);
  }
}

function isOnAir({ state }: Broadcast): boolean {
  return state === "live" || state === "paused" || state === "restarting";
}
