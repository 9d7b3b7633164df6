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

/** The locks of one browser, which all its tabs share. */
function browserLocks(): Pick<LockManager, "request"> {
  const held = new Set<string>();
  const request = async (name: string, _options: LockOptions, use: (lock: Lock | null) => unknown) => {
    if (held.has(name)) return await use(null);
    held.add(name);
    const used = await use({ name, mode: "exclusive" });
    held.delete(name);
    return used;
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
    const [first, second] = [
      new KeptBroadcast(sessionStorage, locks),
      new KeptBroadcast(sessionStorage, locks),
    ];
    expect(await first.claim("b")).toBe(true);
    expect(await second.claim("b")).toBe(false);
    expect(await second.claim("c")).toBe(true);
  });

  it("claims without locks where a browser has none", async () => {
    expect(await new KeptBroadcast(sessionStorage, null).claim("b")).toBe(true);
  });
});
