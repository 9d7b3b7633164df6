const STORED_AS = "mien.operator";

/** The operator's code, for servers that ask for one: kept for this tab alone, as it opens the whole server. */
export class OperatorCode {
  get value(): string | null {
    return sessionStorage.getItem(STORED_AS);
  }

  set value(code: string | null) {
    if (code) sessionStorage.setItem(STORED_AS, code);
    else sessionStorage.removeItem(STORED_AS);
  }
}
