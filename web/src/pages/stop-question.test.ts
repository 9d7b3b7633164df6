import { beforeEach, describe, expect, it, vi } from "vitest";
import { Language } from "../i18n/language";
import { StopQuestion } from "./stop-question";

const storage = { getItem: () => null, setItem: () => undefined };

function question(watching: number | null = 2) {
  const end = vi.fn();
  const subject = new StopQuestion({
    language: new Language(["en"], storage),
    watching: () => watching,
    end,
  });
  document.body.append(subject.element);
  const button = (name: string) => subject.element.querySelector(`[name=${name}]`) as HTMLButtonElement;
  return { subject, end, button };
}

describe("StopQuestion", () => {
  beforeEach(() => document.body.replaceChildren());

  it("asks in a modal dialog that names itself, and says who is watching", () => {
    const { subject } = question();
    expect(subject.element.open).toBe(false);
    subject.ask();
    expect(subject.element.open).toBe(true);
    const labelled = subject.element.getAttribute("aria-labelledby") ?? "";
    expect(document.getElementById(labelled)?.textContent).toBe("End the broadcast?");
    expect(subject.element.textContent).toContain("2 people are watching now.");
    expect(question(0).subject.element.textContent).not.toContain("watching");
  });

  it("begins on staying, which ends nothing", () => {
    const { subject, end, button } = question();
    subject.ask();
    expect(document.activeElement).toBe(button("stay"));
    button("stay").click();
    expect(subject.element.open).toBe(false);
    expect(end).not.toHaveBeenCalled();
  });

  it("ends once it is told so, and asks anew the next time", () => {
    const { subject, end, button } = question();
    subject.ask();
    subject.ask();
    button("end").click();
    expect(end).toHaveBeenCalledOnce();
    expect(subject.element.open).toBe(false);
    subject.ask();
    expect(subject.element.open).toBe(true);
    expect(end).toHaveBeenCalledOnce();
  });

  it("is taken back when there is nothing left to end", () => {
    const { subject, end } = question();
    subject.close();
    subject.ask();
    subject.close();
    expect(subject.element.open).toBe(false);
    expect(end).not.toHaveBeenCalled();
  });
});
