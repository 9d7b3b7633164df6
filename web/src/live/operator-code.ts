import { Store } from "../state/store";

const STORED_AS = "mien.operator";

/** The operator's code, for servers that ask for one: kept for this tab alone, as it opens the whole server. */
export class OperatorCode {
  private readonly code: Store<string>;
  /** Whether the server has asked for one, in this tab. */
  readonly isNeeded: Store<boolean>;

  constructor(
    private readonly storage: Pick<Storage, "getItem" | "setItem" | "removeItem"> = sessionStorage,
  ) {
    this.code = new Store(storage.getItem(STORED_AS) ?? "");
    this.isNeeded = new Store(this.code.get() !== "");
  }

  readonly get = (): string => this.code.get();
  readonly subscribe = (listener: () => void): (() => void) => this.code.subscribe(listener);

  set(code: string): void {
    this.code.set(code);
    if (code) this.storage.setItem(STORED_AS, code);
    else this.storage.removeItem(STORED_AS);
  }
}
