import { beforeEach, describe, expect, it } from "vitest";
import type { Broadcast } from "../api/client";
import { Problem } from "../api/problem";
import { en } from "../words/en";
import { ko } from "../words/ko";
import { Language } from "../words/language";
import { HomePage } from "./home";

const broadcast = (more: Partial<Broadcast>) =>
  ({
    id: "b",
    title: "Walk",
    state: "live",
    treatment: "swap",
    viewers: 3,
    watch_url: "/watch/b",
    ...more,
  }) as Broadcast;

/** The page of a server that answers each look with the next of `lists`. */
async function opened(...lists: (Broadcast[] | Problem)[]) {
  const language = new Language(["en"]);
  const page = new HomePage(
    {
      broadcasts: async () => {
        const next = lists.shift() ?? [];
        if (next instanceof Problem) throw next;
        return next;
      },
      personas: async () => [],
    },
    language,
  );
  page.mount(document.body);
  await Promise.resolve();
  await Promise.resolve();
  return { page, language, cards: () => [...document.querySelectorAll("a.card")] };
}

describe("HomePage", () => {
  beforeEach(() => {
    document.body.replaceChildren();
    localStorage.clear();
  });

  it("lists who is on air and leads to them, and to going live", async () => {
    const { cards } = await opened([
      broadcast({}),
      broadcast({ state: "waiting" }),
      broadcast({ state: "paused" }),
    ]);
    expect(cards().map((card) => card.getAttribute("href"))).toEqual(["/watch/b", "/watch/b"]);
    expect(cards()[0]?.textContent).toContain("Walk");
    expect(cards()[0]?.textContent).toContain(en.altered);
    expect(document.querySelector('main a[href="/live"]')).not.toBeNull();
  });

  it("shows a title as the text it is", async () => {
    const { cards } = await opened([broadcast({ title: "<b>bold</b>" })]);
    expect(cards()[0]?.querySelector("b")).toBeNull();
    expect(cards()[0]?.textContent).toContain("<b>bold</b>");
  });

  it("says so when nobody is live", async () => {
    await opened([]);
    expect(document.querySelector(".empty")?.hasAttribute("hidden")).toBe(false);
  });

  it("keeps the last list while the server cannot be reached, and says that it tries", async () => {
    const { page, cards } = await opened([broadcast({})], new Problem("network", 0));
    await page.load();
    expect(cards()).toHaveLength(1);
    expect(document.querySelector('[role="status"]')?.textContent).toBe(en.listFailed);
  });

  it("speaks Korean as soon as it is chosen, in the list too", async () => {
    const { language, cards } = await opened([broadcast({ title: "" })]);
    language.choose("ko");
    expect(document.querySelector("h1")?.textContent).toBe(ko.appLine);
    expect(cards()[0]?.textContent).toContain(ko.untitled);
  });
});
