/**
 * One value that changes, and who wants to know: what `useSyncExternalStore` of React reads, without anything of React.
 *
 * Methods are arrow functions, so that they can be handed on alone.
 */
export class Store<T> {
  private readonly listeners = new Set<() => void>();

  constructor(private value: T) {}

  readonly get = (): T => this.value;

  /** @returns Ends the subscription. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Set another value. Whoever listens is told unless it is the same one. */
  set(value: T): void {
    if (Object.is(value, this.value)) return;
    this.value = value;
    for (const listener of [...this.listeners]) listener();
  }

  /** Set some fields of a value that is an object. */
  patch(fields: Partial<T>): void {
    this.set({ ...this.value, ...fields });
  }
}

/** What components read; only its owner can change it. */
export type Readable<T> = Pick<Store<T>, "get" | "subscribe">;
