import { describe, expect, it } from "vitest";
import { en } from "./en";
import { startI18n } from "./i18n";
import { ko } from "./ko";

type Sentence = [key: string, text: string];

function sentences(messages: object, path = ""): Sentence[] {
  return Object.entries(messages).flatMap(([key, value]) =>
    typeof value === "object" && value !== null
      ? sentences(value, `${path}${key}.`)
      : [[`${path}${key}`, value] as Sentence],
  );
}

const gaps = (text: string) => [...new Set(text.match(/\{\{\w+\}\}/g))].sort();

// Names of formats and units that Korean writes in Latin letters too.
const LATIN = new Set(["stats.perSecond", "stats.ms", "recording.size"]);
const ENGLISH = new Map(sentences(en));
const KOREAN = new Map(sentences(ko));

describe("the dictionaries", () => {
  it("have the same keys, but for the one form that Korean has of each plural", () => {
    const wanted = [...ENGLISH.keys()].filter((key) => !key.endsWith("_one"));
    expect([...KOREAN.keys()].sort()).toEqual(wanted.sort());
  });

  it("fill in the same things, so that none is lost in one language", () => {
    for (const [key, text] of KOREAN) expect([key, gaps(text)]).toEqual([key, gaps(ENGLISH.get(key) ?? "")]);
  });

  it.each([...KOREAN].filter(([key]) => !LATIN.has(key)))("Korean %s is Korean", (_key, text) => {
    expect(text).toMatch(/[가-힣]/);
  });

  it.each([...ENGLISH])("English %s is not empty and not Korean", (_key, text) => {
    expect(text).toMatch(/[A-Za-z]/);
    expect(text).not.toMatch(/[가-힣]/);
  });
});

describe("startI18n", () => {
  it("speaks at once, fills in, and chooses plurals as each language does", async () => {
    const i18n = startI18n("en");
    expect(i18n.t("viewers", { count: 1 })).toBe("1 viewer");
    expect(i18n.t("viewers", { count: 2 })).toBe("2 viewers");
    expect(i18n.t("camera.insecureMore", { host: "a<b" })).toContain("https://a<b,");
    expect(document.documentElement.lang).toBe("en");
    await i18n.changeLanguage("ko");
    expect(i18n.t("viewers", { count: 1 })).toBe("시청자 1명");
  });

  it("finds sentences whose names hold dots", () => {
    const { t } = startI18n("en");
    expect(t("problems.connection.lost")).toBe(en.problems["connection.lost"]);
    expect(t("problems.connection")).toBe(en.problems.connection);
  });
});
