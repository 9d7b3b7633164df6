import { act, fireEvent, screen } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Broadcast } from "../../api/client";
import { Problem } from "../../api/problem";
import { en } from "../../i18n/en";
import { rendered } from "../../ui/rendered.fake";
import { WatchController } from "../../watch/watch-controller";
import type { ViewerState } from "../../webrtc/viewer";
import { WatchPage } from "./watch-page";

const BROADCAST = { id: "b", title: "Walk", viewers: 3, load: "ok" } as Broadcast;

function watching() {
  let enter: (state: ViewerState) => void = () => undefined;
  let show: (stream: MediaStream) => void = () => undefined;
  const controller = new WatchController({ broadcast: async () => BROADCAST }, "b", (options) => {
    enter = options.onState;
    show = options.onStream;
    return {
      run: async () => undefined,
      heard: () => undefined,
      stats: async () => null,
      close: async () => undefined,
    };
  });
  const page = rendered(<WatchPage controller={controller} />);
  const video = page.container.querySelector("video") as HTMLVideoElement;
  const live = async () => {
    await act(async () => {
      show({} as MediaStream);
      enter({ kind: "live", broadcast: BROADCAST });
    });
    fireEvent.playing(video);
  };
  return { ...page, video, live, enter: (state: ViewerState) => act(() => enter(state)) };
}

const notice = () => screen.getByRole("status", { hidden: true });

describe("WatchPage", () => {
  beforeEach(() => {
    vi.spyOn(HTMLMediaElement.prototype, "play").mockResolvedValue(undefined);
    Object.defineProperty(HTMLMediaElement.prototype, "srcObject", {
      value: null,
      writable: true,
      configurable: true,
    });
  });

  it("shows the picture, its title and its audience once it moves", async () => {
    const { live, container } = watching();
    expect(notice().textContent).toContain(en.viewer.connecting);
    await live();
    expect(notice().hidden).toBe(true);
    expect(container.querySelector("h1")?.textContent).toBe("Walk");
    expect(container.textContent).toContain("3 viewers");
    expect(container.querySelector<HTMLElement>(".stage-bar")?.hidden).toBe(false);
  });

  it("offers sound in the row of the controls until it was taken", async () => {
    const { live, video, container } = watching();
    await live();
    const prompt = screen.getByRole("button", { name: en.viewer.sound });
    expect(prompt.parentElement).toBe(container.querySelector(".stage-bottom"));
    fireEvent.click(prompt);
    await act(async () => undefined);
    expect(video.muted).toBe(false);
    expect(screen.queryByRole("button", { name: en.viewer.sound })).toBeNull();
    fireEvent.click(screen.getByRole("button", { name: en.viewer.mute }));
    expect(video.muted).toBe(true);
    expect(screen.queryByRole("button", { name: en.viewer.sound })).toBeNull();
  });

  it("tells a broadcast that is over from a link that leads to none", () => {
    const { enter, container } = watching();
    enter({ kind: "unknown" });
    expect(notice().textContent).toContain(en.viewer.unknown);
    expect(screen.getByRole("link", { name: en.viewer.others })).toBeDefined();
    expect(container.querySelector<HTMLElement>(".watch-about")?.hidden).toBe(true);
    enter({ kind: "ended" });
    expect(notice().textContent).toContain(en.viewer.ended);
  });

  it("calls a wait after a picture an interruption", async () => {
    const { enter, live } = watching();
    enter({ kind: "waiting", broadcast: BROADCAST });
    expect(notice().textContent).toContain(en.viewer.waiting);
    await live();
    enter({ kind: "waiting", broadcast: BROADCAST });
    expect(notice().textContent).toContain(en.viewer.paused);
  });

  it("says why it cannot connect, and offers to try again", () => {
    const { enter } = watching();
    enter({ kind: "failed", problem: new Problem("live.sdp", 422) });
    expect(notice().textContent).toContain(en.problems["live.sdp"]);
    expect(screen.getByRole("button", { name: en.retry })).toBeDefined();
  });
});
