import { beforeEach, describe, expect, it } from "vitest";
import { en } from "./en";
import { ko } from "./ko";
import { Language } from "./language";

describe("Language", () => {
  beforeEach(() => localStorage.clear());

  it("takes the browser's first language that it speaks", () => {
    expect(new Language(["fr-FR", "ko-KR", "en-US"]).code).toBe("ko");
  });

  it("falls back to English where it speaks none of them", () => {
    expect(new Language(["fr-FR"]).code).toBe("en");
  });

  it("remembers a choice and marks the document with it", () => {
    new Language(["en-US"]).choose("ko");
    expect(new Language(["en-US"]).code).toBe("ko");
    expect(document.documentElement.lang).toBe("ko");
  });

  it("ignores a stored language that does not exist", () => {
    localStorage.setItem("mien.language", "toString");
    expect(new Language(["ko"]).code).toBe("ko");
  });

  it("tells its listeners about a change", () => {
    const language = new Language(["en"]);
    const heard: string[] = [];
    language.onChange(() => heard.push(language.messages.goLive));
    language.choose("ko");
    expect(heard).toEqual([ko.goLive]);
  });
});

describe("the dictionaries", () => {
  const sentences = (messages: object, path = ""): [string, unknown][] =>
    Object.entries(messages).flatMap(([key, value]) =>
      typeof value === "object" && value !== null
        ? sentences(value, `${path}${key}.`)
        : [[`${path}${key}`, value] as [string, unknown]],
    );

  // Names of formats and units that Korean writes in Latin letters too.
  const latin = new Set(["stats.perSecond", "stats.ms"]);

  it.each(sentences(ko).filter(([key]) => !latin.has(key)))("Korean %s is Korean", (_key, value) => {
    expect(typeof value === "function" ? value(2) : value).toMatch(/[가-힣]/);
  });

  it.each(sentences(en))("English %s is not empty and not Korean", (_key, value) => {
    const text = typeof value === "function" ? value(2) : value;
    expect(text).toMatch(/[A-Za-z]/);
    expect(text).not.toMatch(/[가-힣]/);
  });
});
