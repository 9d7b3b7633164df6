import { fireEvent } from "@testing-library/react";
import { describe, expect, it, vi } from "vitest";
import { en } from "../../i18n/en";
import { ko } from "../../i18n/ko";
import { rendered } from "../../ui/rendered.fake";
import { CameraError, type CameraFault } from "../../webrtc/camera";
import { StageFault } from "./stage-fault";

function stage(fault: CameraFault, { others = true } = {}) {
  const ways = { retry: vi.fn(), otherCamera: others ? vi.fn() : null, silently: vi.fn() };
  const page = rendered(<StageFault fault={{ error: new CameraError(fault), ways }} />);
  const element = page.container.querySelector(".stage-fault") as HTMLElement;
  const offered = () => [...element.querySelectorAll("button")].map(({ name }) => name);
  const press = (name: string) => fireEvent.click(element.querySelector(`[name=${name}]`) as HTMLElement);
  return { ...page, element, ways, offered, press };
}

describe("StageFault", () => {
  it("takes the focus and says itself what is wrong", () => {
    const { element } = stage("busy");
    expect(document.activeElement).toBe(element);
    expect(element.textContent).toContain(en.camera.busy);
    expect(element.getAttribute("aria-labelledby")).toBe("fault-what");
  });

  it.each<[CameraFault, boolean, string[]]>([
    ["denied", true, ["fault-retry"]],
    ["dismissed", true, ["fault-retry"]],
    ["busy", true, ["fault-retry", "fault-other"]],
    ["busy", false, ["fault-retry"]],
    ["unfit", true, ["fault-retry", "fault-other"]],
    ["microphoneDenied", true, ["fault-retry", "fault-silent"]],
    ["microphoneBusy", true, ["fault-retry", "fault-silent"]],
    ["insecure", true, []],
    ["unsupported", true, []],
    ["forbidden", true, []],
  ])("offers for %s (other cameras: %s) just what can help", (fault, others, wanted) => {
    expect(stage(fault, { others }).offered()).toEqual(wanted);
  });

  it("does what is pressed", () => {
    const { ways, press } = stage("busy");
    press("fault-retry");
    press("fault-other");
    expect(ways.retry).toHaveBeenCalledOnce();
    expect(ways.otherCamera).toHaveBeenCalledOnce();
    const silent = stage("microphoneDenied");
    silent.press("fault-silent");
    expect(silent.ways.silently).toHaveBeenCalledOnce();
  });

  it("speaks the language that is chosen", async () => {
    const { element, speak } = stage("missing");
    await speak("ko");
    expect(element.textContent).toContain(ko.camera.missing);
  });
});
