import { beforeEach, describe, expect, it, vi } from "vitest";
import { en } from "../i18n/en";
import { ko } from "../i18n/ko";
import { Language } from "../i18n/language";
import { CameraError, type CameraFault } from "../webrtc/camera";
import { StageFault } from "./stage-fault";

const storage = { getItem: () => null, setItem: () => undefined };

function stage(fault: CameraFault, { others = true } = {}) {
  const language = new Language(["en"], storage);
  const subject = new StageFault(language);
  document.body.append(subject.element);
  const ways = { retry: vi.fn(), otherCamera: others ? vi.fn() : null, silently: vi.fn() };
  subject.show(new CameraError(fault), ways);
  const offered = () =>
    [...subject.element.querySelectorAll("button")].filter(({ hidden }) => !hidden).map(({ name }) => name);
  const press = (name: string) => subject.element.querySelector<HTMLButtonElement>(`[name=${name}]`)?.click();
  return { subject, language, ways, offered, press };
}

describe("StageFault", () => {
  beforeEach(() => document.body.replaceChildren());

  it("takes the focus and says itself what is wrong", () => {
    const { subject } = stage("busy");
    expect(subject.isShown).toBe(true);
    expect(document.activeElement).toBe(subject.element);
    expect(subject.element.textContent).toContain(en.camera.busy);
    expect(subject.element.getAttribute("aria-labelledby")).toBe("fault-what");
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

  it("speaks the language that is chosen, and is gone when all is well", () => {
    const { subject, language } = stage("missing");
    language.choose("ko");
    subject.refresh();
    expect(subject.element.textContent).toContain(ko.camera.missing);
    subject.clear();
    expect(subject.isShown).toBe(false);
    expect(subject.element.hidden).toBe(true);
  });
});
