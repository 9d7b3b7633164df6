import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Broadcast } from "../api/client";
import { swapping } from "../api/policy";
import { Problem } from "../api/problem";
import { en } from "../i18n/en";
import { ko } from "../i18n/ko";
import { Language } from "../i18n/language";
import { HomePage } from "./home";

const broadcast = (more: Partial<Broadcast>) =>
  ({
    id: "b",
    title: "Walk",
    state: "live",
    policy: swapping("mask:volto", "primary"),
    viewers: 3,
    watch_url: "/watch/b",
    thumbnail_url: "/b.jpg",
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
      broadcast({ id: "c", state: "waiting" }),
      broadcast({ id: "d", state: "paused" }),
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

  it("shows the treated picture where there is one, a new one every five seconds, in the same card", async () => {
    vi.useFakeTimers();
    vi.setSystemTime(100_000);
    const { page, cards } = await opened([broadcast({})], [broadcast({ title: "Run" })]);
    const picture = cards()[0]?.querySelector("img");
    expect(picture?.getAttribute("src")).toBe("/b.jpg?at=20");
    expect(picture?.hidden).toBe(true);
    picture?.dispatchEvent(new Event("load"));
    expect(picture?.hidden).toBe(false);
    vi.setSystemTime(105_000);
    await page.load();
    vi.useRealTimers();
    expect(cards()[0]?.querySelector("img")).toBe(picture);
    expect(cards()[0]?.textContent).toContain("Run");
    expect(picture?.getAttribute("src")).toBe("/b.jpg?at=21");
    picture?.dispatchEvent(new Event("error"));
    expect(picture?.hidden).toBe(true);
  });

  it("takes away the cards of broadcasts that are over", async () => {
    const { page, cards } = await opened([broadcast({}), broadcast({ id: "c" })], [broadcast({ id: "c" })]);
    await page.load();
    expect(cards()).toHaveLength(1);
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
