import { beforeEach, describe, expect, it } from "vitest";
import { type Kept, KeptBroadcast } from "./kept-broadcast";

const KEPT: Kept = {
  broadcast: {
    id: "b",
    token: "t",
    whip_url: "/whip/b",
    whep_url: "/whep/b",
    watch_url: "/watch/b",
    addresses: [],
  },
  sinceMs: 1,
  title: "Walk",
  face: { kind: "mosaic", everybody: false, mask: null, look: {}, lent: null },
  people: [],
  choice: { camera: null, microphone: null },
  muted: false,
};

/** The locks of one browser, which all its tabs share: nobody who waits for a held one ever gets it. */
function browserLocks(): Pick<LockManager, "request"> {
  const held = new Set<string>();
  const request = async (name: string, { signal }: LockOptions, use: (lock: Lock) => unknown) => {
    if (held.has(name))
      await new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    held.add(name);
    return await use({ name, mode: "exclusive" });
  };
  return { request: request as LockManager["request"] };
}

describe("KeptBroadcast", () => {
  beforeEach(() => sessionStorage.clear());

  it("gives back what was kept until it is forgotten", () => {
    new KeptBroadcast(sessionStorage, null).keep(KEPT);
    const kept = new KeptBroadcast(sessionStorage, null);
    expect(kept.get()).toEqual(KEPT);
    kept.forget();
    expect(kept.get()).toBeNull();
  });

  it("takes what is no JSON for nothing", () => {
    sessionStorage.setItem("mien.broadcast", "{");
    expect(new KeptBroadcast(sessionStorage, null).get()).toBeNull();
  });

  it("lets one tab alone carry a broadcast, and each tab its own", async () => {
    const locks = browserLocks();
    const [first, second] = [1, 2].map(() => new KeptBroadcast(sessionStorage, locks, 20));
    expect(await first?.claim("b")).toBe(true);
    expect(await second?.claim("b")).toBe(false);
    expect(await second?.claim("c")).toBe(true);
  });

  it("claims without locks where a browser has none", async () => {
    expect(await new KeptBroadcast(sessionStorage, null).claim("b")).toBe(true);
  });
});
