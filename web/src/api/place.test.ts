import { expect, test } from "vitest";
import { below, prefix, prefixOf, watched } from "./place";

test.each([
  ["./", "https://a.example/live", ""],
  ["../", "https://a.example/watch/x", ""],
  ["../", "https://a.example/mien/watch/x", "/mien"],
  ["../../", "https://a.example/mien/watch/x/", "/mien"],
  ["./", "https://a.example/some/where/", "/some/where"],
  ["/mien/", "https://a.example/mien", "/mien"],
  ["/", "https://a.example/live.html", ""],
])("the home %s seen from %s means the prefix %s", (home, page, expected) => {
  expect(prefixOf(home, page)).toBe(expected);
});

test("a path gets the prefix once, and another host's address never does", () => {
  expect(below("/whep/x", "/mien")).toBe("/mien/whep/x");
  expect(below("/mien/whep/x", "/mien")).toBe("/mien/whep/x");
  expect(below("/mienfield", "/mien")).toBe("/mien/mienfield");
  expect(below("https://b.example/whip", "/mien")).toBe("https://b.example/whip");
  expect(below("/live", "")).toBe("/live");
  expect(prefix).toBe("");
});

test.each([
  ["/watch/abc", "abc"],
  ["/mien/watch/a%20b/", "a b"],
  ["/watch/", ""],
])("%s watches %s", (path, id) => {
  expect(watched(path)).toBe(id);
});
