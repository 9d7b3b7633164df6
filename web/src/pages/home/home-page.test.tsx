import { act, fireEvent, waitFor } from "@testing-library/react";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Broadcast } from "../../api/client";
import { swapping } from "../../api/policy";
import { Problem } from "../../api/problem";
import { en } from "../../i18n/en";
import { ko } from "../../i18n/ko";
import { rendered } from "../../ui/rendered.fake";
import { HomePage } from "./home-page";

const LOOK_MS = 3_000;

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
  vi.useFakeTimers({ now: 100_000 });
  const api = {
    broadcasts: async () => {
      const next = lists.shift() ?? [];
      if (next instanceof Problem) throw next;
      return next;
    },
    personas: async () => [],
  };
  const page = rendered(<HomePage api={api} />);
  const pass = (milliseconds: number) => act(() => vi.advanceTimersByTimeAsync(milliseconds));
  await pass(10);
  return { ...page, pass, cards: () => [...page.container.querySelectorAll("a.card")] };
}

describe("HomePage", () => {
  afterEach(() => void vi.useRealTimers());

  it("lists who is on air and leads to them, and to going live", async () => {
    const { cards, container } = await opened([
      broadcast({}),
      broadcast({ id: "c", state: "waiting" }),
      broadcast({ id: "d", state: "paused" }),
    ]);
    expect(cards().map((card) => card.getAttribute("href"))).toEqual(["/watch/b", "/watch/b"]);
    expect(cards()[0]?.textContent).toContain("Walk");
    expect(cards()[0]?.textContent).toContain(en.altered);
    expect(container.querySelector('main a[href="/live"]')).not.toBeNull();
  });

  it("shows a title as the text it is", async () => {
    const { cards } = await opened([broadcast({ title: "<b>bold</b>" })]);
    expect(cards()[0]?.querySelector("b")).toBeNull();
    expect(cards()[0]?.textContent).toContain("<b>bold</b>");
  });

  it("shows the treated picture where there is one, a new one every five seconds, in the same card", async () => {
    const { cards, pass } = await opened([broadcast({})], [broadcast({})], [broadcast({ title: "Run" })]);
    const picture = cards()[0]?.querySelector("img") as HTMLImageElement;
    expect(picture.getAttribute("src")).toBe("/b.jpg?at=20");
    expect(picture.hidden).toBe(true);
    fireEvent.load(picture);
    expect(picture.hidden).toBe(false);
    await pass(2 * LOOK_MS);
    expect(cards()[0]?.querySelector("img")).toBe(picture);
    expect(cards()[0]?.textContent).toContain("Run");
    expect(picture.getAttribute("src")).toBe("/b.jpg?at=21");
    fireEvent.error(picture);
    expect(picture.hidden).toBe(true);
  });

  it("takes away the cards of broadcasts that are over", async () => {
    const { cards, pass } = await opened([broadcast({}), broadcast({ id: "c" })], [broadcast({ id: "c" })]);
    expect(cards()).toHaveLength(2);
    await pass(LOOK_MS);
    expect(cards()).toHaveLength(1);
  });

  it("says so when nobody is live", async () => {
    const { container } = await opened([]);
    expect(container.querySelector(".empty")?.textContent).toContain(en.nobodyLive);
  });

  it("keeps the last list while the server cannot be reached, and says that it tries", async () => {
    const { cards, pass, container } = await opened([broadcast({})], new Problem("network", 0));
    await pass(LOOK_MS);
    expect(cards()).toHaveLength(1);
    expect(container.querySelector('[role="status"]')?.textContent).toBe(en.listFailed);
  });

  it("speaks Korean as soon as it is chosen, in the list too", async () => {
    const { cards, speak, container } = await opened([broadcast({ title: "" })]);
    vi.useRealTimers();
    await speak("ko");
    await waitFor(() => expect(container.querySelector("h1")?.textContent).toBe(ko.appLine));
    expect(cards()[0]?.textContent).toContain(ko.untitled);
  });
});
