import type { Api, Broadcast } from "../api/client";
import { alteredBadge, frame } from "../ui/frame";
import { type IconName, icon } from "../ui/icons";
import { View } from "../ui/view";
import type { Language } from "../words/language";

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
      .map(({ preview_url }) => this.view.el("img", { src: preview_url, alt: "" }));
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
    const words = () => this.language.words;
    const pillar = (name: "swap" | "mosaic" | "label", iconName: IconName) =>
      view.el(
        "li",
        {},
        icon(iconName),
        view.el("strong", {}, () => words().pillars[name]),
        view.el("span", {}, () => words().pillars[`${name}More`]),
      );
    return view.el(
      "main",
      { class: "home" },
      view.el(
        "section",
        { class: "hero" },
        this.masks,
        view.el("h1", {}, () => words().appLine),
        view.el("p", { class: "lead" }, () => words().appMore),
        view.el("a", { class: "button primary large", href: "/live" }, icon("camera"), () => words().goLive),
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
        view.el("h2", { id: "now" }, () => words().liveNow),
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
          view.el("strong", {}, () => words().nobodyLive),
          view.el("span", {}, () => words().nobodyLiveMore),
        ),
        this.list,
      ),
    );
  }

  private notice(): string {
    switch (this.state.kind) {
      case "loading":
        return this.language.words.loading;
      case "unreachable":
        return this.language.words.listFailed;
      case "listed":
        return "";
    }
  }

  private render(): void {
    this.view.refresh();
    document.title = `mien · ${this.language.words.appLine}`;
    // While the server cannot be reached, what was last known stays.
    if (this.state.kind === "listed")
      this.list.replaceChildren(...this.state.broadcasts.map((each) => this.card(each)));
  }

  private card(broadcast: Broadcast): HTMLElement {
    const view = new View();
    const { words } = this.language;
    const title = broadcast.title || words.untitled;
    return view.el(
      "li",
      {},
      view.el(
        "a",
        { class: "card", href: broadcast.watch_url },
        view.el(
          "span",
          { class: "card-art", "data-treatment": broadcast.treatment },
          icon(broadcast.treatment === "swap" ? "mask" : "mosaic"),
          view.el("span", { class: "badge badge-live" }, words.viewer.live),
          alteredBadge(view, this.language),
        ),
        view.el("strong", { class: "card-title" }, title),
        view.el(
          "span",
          { class: "card-facts" },
          view.el("span", {}, words.treatment[broadcast.treatment]),
          view.el("span", {}, words.viewers(broadcast.viewers)),
        ),
      ),
    );
  }
}

function isOnAir({ state }: Broadcast): boolean {
  return state === "live" || state === "paused" || state === "restarting";
}
