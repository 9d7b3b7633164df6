import type { CreatedBroadcast } from "../api/client";
import type { Choice } from "../webrtc/camera";
import type { KeptFace } from "./faces";
import type { Person } from "./people";

const STORED_AS = "mien.broadcast";

/** What a page needs to go on with its broadcast after it was loaded anew. */
export interface Kept {
  broadcast: CreatedBroadcast;
  /** When it went on air, by the clock of `Date`. */
  sinceMs: number;
  title: string;
  face: KeptFace;
  people: readonly Person[];
  choice: Choice;
  muted: boolean;
}

/**
 * Keeps the broadcast of this tab, its token too, until it is over: a page that is loaded anew goes on with it.
 *
 * A tab that is duplicated gets a copy of what is kept, so the tab that carries a broadcast holds a lock of its name.
 */
export class KeptBroadcast {
  constructor(
    private readonly storage: Pick<Storage, "getItem" | "setItem" | "removeItem"> = sessionStorage,
    private readonly locks: Pick<LockManager, "request"> | null = navigator.locks ?? null,
    private readonly patienceMs: number = 3_000,
  ) {}

  get(): Kept | null {
    try {
      return JSON.parse(this.storage.getItem(STORED_AS) ?? "null") as Kept | null;
    } catch {
      return null;
    }
  }

  keep(kept: Kept): void {
    this.storage.setItem(STORED_AS, JSON.stringify(kept));
  }

  forget(): void {
    this.storage.removeItem(STORED_AS);
  }

  /**
   * Carry the broadcast until the page goes. A page that is loaded anew may have to wait until the one of before is gone.
   *
   * @returns False where another tab carries it.
   */
  async claim(id: string): Promise<boolean> {
    const { locks } = this;
    if (locks === null) return true;
    return await new Promise<boolean>((resolve) => {
      void locks
        .request(`${STORED_AS}.${id}`, { signal: AbortSignal.timeout(this.patienceMs) }, () => {
          resolve(true);
          return new Promise<never>(() => undefined); // until the page goes; a broadcast's name never comes again
        })
        .catch((error: unknown) => resolve(!isOutOfPatience(error)));
    });
  }
}

/** Browsers name it by the signal's reason, older ones as any abort; whatever else fails, a lock cannot be had here. */
function isOutOfPatience(error: unknown): boolean {
  return error instanceof DOMException && (error.name === "TimeoutError" || error.name === "AbortError");
}
