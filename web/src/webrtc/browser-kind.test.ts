import { describe, expect, it } from "vitest";
import { type BrowserKind, browserKind } from "./browser-kind";

const MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)";

describe("browserKind", () => {
  it.each<[BrowserKind, string, number]>([
    [
      "chromium",
      "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",
      0,
    ],
    ["chromium", "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", 10],
    ["android", "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36", 5],
    ["firefox", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", 0],
    ["safari", `${MAC} Version/18.0 Safari/605.1.15`, 0],
    ["ios", `${MAC} Version/18.0 Safari/605.1.15`, 5],
    [
      "ios",
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 CriOS/140 Safari/604.1",
      5,
    ],
    ["other", "Something/1.0", 0],
  ])("takes for %s: %s", (kind, userAgent, maxTouchPoints) => {
    expect(browserKind({ userAgent, maxTouchPoints })).toBe(kind);
  });
});
