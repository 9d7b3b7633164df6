type Value = string | number | boolean | null | undefined;
type Live<T> = T | (() => T);
type Leaf = Node | Live<Value>;
type Child = Leaf | readonly Child[];
type Listeners = { [K in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[K]) => void };

export type Attributes = { [name: string]: Live<Value> | Listeners } & { on?: Listeners };

/**
 * A piece of page whose texts and attributes may be functions of the state.
 *
 * `refresh` asks each function again and touches the document only where the answer changed. So a page is
 * written once, in one place, and stays right whatever happens to the state or the language; a video element
 * is never rebuilt.
 */
export class View {
  private readonly bindings: (() => void)[] = [];

  /** Make an element. `true` sets an attribute, `false`, `null` and `undefined` remove it. */
  el<K extends keyof HTMLElementTagNameMap>(
    tag: K,
    attributes: Attributes = {},
    ...children: Child[]
  ): HTMLElementTagNameMap[K] {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "on") this.listen(element, value as Listeners);
      else this.bind(value as Live<Value>, (now) => setAttribute(element, name, now));
    }
    element.append(...flatten(children).map((child) => this.node(child)));
    return element;
  }

  /** Call `apply` now and whenever a refresh finds that `value` changed. */
  bind<T>(value: Live<T>, apply: (now: T) => void): void {
    if (typeof value !== "function") {
      apply(value);
      return;
    }
    const ask = value as () => T;
    let last = ask();
    apply(last);
    this.bindings.push(() => {
      const now = ask();
      if (now === last) return;
      last = now;
      apply(now);
    });
  }

  refresh(): void {
    for (const update of this.bindings) update();
  }

  private node(child: Leaf): Node {
    if (child instanceof Node) return child;
    const text = document.createTextNode("");
    this.bind(child, (now) => {
      text.data = now === null || now === undefined || now === false ? "" : String(now);
    });
    return text;
  }

  private listen(element: HTMLElement, listeners: Listeners): void {
    for (const [type, listener] of Object.entries(listeners)) {
      element.addEventListener(type, listener as EventListener);
    }
  }
}

function flatten(children: readonly Child[]): Leaf[] {
  return children.flatMap((child) => (Array.isArray(child) ? flatten(child) : [child as Leaf]));
}

function setAttribute(element: HTMLElement, name: string, value: Value): void {
  // A form control's value and checkedness live in properties once a person has touched it.
  if (name === "value" && "value" in element) element.value = String(value ?? "");
  else if (name === "checked" && element instanceof HTMLInputElement) element.checked = value === true;
  else if (value === false || value === null || value === undefined) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : String(value));
}
