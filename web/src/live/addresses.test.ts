import { describe, expect, it } from "vitest";
import { isLoopback, linksOf } from "./addresses";

const LAN = ["http://192.168.1.5:8000", "http://[fd00::5]:8000"];

describe("linksOf", () => {
  it("offers the addresses of the network where the page's own means this machine alone", () => {
    expect(linksOf({ watch_url: "/watch/b", addresses: LAN }, "http://127.0.0.1:8000/live")).toEqual({
      link: "http://127.0.0.1:8000/watch/b",
      isOnlyHere: true,
      others: ["http://192.168.1.5:8000/watch/b", "http://[fd00::5]:8000/watch/b"],
    });
  });

  it("has nothing to add to an address that others can open", () => {
    const links = linksOf({ watch_url: "/watch/b", addresses: LAN }, "https://mien.example/live");
    expect(links).toEqual({ link: "https://mien.example/watch/b", isOnlyHere: false, others: [] });
  });
});

describe("isLoopback", () => {
  it.each(["localhost", "mien.localhost", "127.0.0.1", "127.9.9.9", "[::1]"])("knows %s", (host) => {
    expect(isLoopback(host)).toBe(true);
  });

  it.each(["192.168.1.5", "mylocalhost", "localhost.example.org", "[fd00::1]", "128.0.0.1"])(
    "takes %s for another machine's",
    (host) => expect(isLoopback(host)).toBe(false),
  );
});
