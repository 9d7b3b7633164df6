import { describe, expect, it, vi } from "vitest";
import { View } from "./view";

describe("View", () => {
  it("writes text as text, never as markup", () => {
    const element = new View().el("p", {}, "<img src=x onerror=alert(1)>");
    expect(element.children).toHaveLength(0);
    expect(element.textContent).toContain("<img");
  });

  it("asks its functions again on refresh", () => {
    let count = 1;
    const view = new View();
    const element = view.el("p", { "data-count": () => count }, () => `seen ${count}`);
    count = 2;
    view.refresh();
    expect(element.textContent).toBe("seen 2");
    expect(element.getAttribute("data-count")).toBe("2");
  });

  it("leaves the document alone where nothing changed", () => {
    const apply = vi.fn();
    const view = new View();
    view.bind(() => "same", apply);
    view.refresh();
    expect(apply).toHaveBeenCalledOnce();
  });

  it("sets and removes boolean attributes", () => {
    let hidden = true;
    const view = new View();
    const element = view.el("p", { hidden: () => hidden });
    expect(element.hasAttribute("hidden")).toBe(true);
    hidden = false;
    view.refresh();
    expect(element.hasAttribute("hidden")).toBe(false);
  });

  it("keeps a field that a person has typed into in step with the state", () => {
    let value = "";
    const view = new View();
    const field = view.el("input", { value: () => value });
    field.value = "typed";
    value = "from state";
    view.refresh();
    expect(field.value).toBe("from state");
  });

  it("flattens lists of children", () => {
    const view = new View();
    expect(view.el("ul", {}, [view.el("li", {}, "a"), [view.el("li", {}, "b")]]).children).toHaveLength(2);
  });
});
