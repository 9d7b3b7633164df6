import { act, fireEvent, screen } from "@testing-library/react";
import { useState } from "react";
import { describe, expect, it, vi } from "vitest";
import type { Broadcast } from "../../api/client";
import type { LiveController } from "../../live/live-controller";
import { Store } from "../../state/store";
import { rendered } from "../../ui/rendered.fake";
import { StopQuestion } from "./stop-question";

function asked(viewers = 2) {
  const stop = vi.fn();
  const news = new Store<Broadcast | null>({ viewers } as Broadcast);
  const live = { news, stop } as unknown as LiveController;
  let ask: (open: boolean) => void = () => undefined;
  const Page = () => {
    const [open, setOpen] = useState(false);
    ask = setOpen;
    return <StopQuestion live={live} open={open} onOpenChange={setOpen} />;
  };
  rendered(<Page />);
  act(() => ask(true));
  return { stop, again: () => act(() => ask(true)) };
}

const dialog = () => screen.queryByRole("dialog", { name: "End the broadcast?" });
const button = (name: string) => screen.getByRole("button", { name });

describe("StopQuestion", () => {
  it("asks in a modal dialog that names itself, and says who is watching", () => {
    asked();
    expect(dialog()?.textContent).toContain("2 people are watching now.");
    const told = document.getElementById(dialog()?.getAttribute("aria-describedby") ?? "");
    expect(told?.textContent).toContain("Viewers are told");
  });

  it("does not speak of viewers where there are none", () => {
    asked(0);
    expect(dialog()?.textContent).not.toContain("watching");
  });

  it("begins on staying, which ends nothing", () => {
    const { stop } = asked();
    expect(document.activeElement).toBe(button("Stay on air"));
    fireEvent.click(button("Stay on air"));
    expect(dialog()).toBeNull();
    expect(stop).not.toHaveBeenCalled();
  });

  it("stays on air on Escape", () => {
    const { stop } = asked();
    fireEvent.keyDown(document.activeElement ?? document.body, { key: "Escape" });
    expect(dialog()).toBeNull();
    expect(stop).not.toHaveBeenCalled();
  });

  it("ends once it is told so, and asks anew the next time", () => {
    const { stop, again } = asked();
    fireEvent.click(button("End it"));
    expect(stop).toHaveBeenCalledOnce();
    expect(dialog()).toBeNull();
    again();
    expect(dialog()).not.toBeNull();
    expect(stop).toHaveBeenCalledOnce();
  });
});
