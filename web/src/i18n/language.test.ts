import { beforeEach, describe, expect, it } from "vitest";
import { chosenLanguage, rememberLanguage } from "./language";

describe("chosenLanguage", () => {
  beforeEach(() => localStorage.clear());

  it("is the browser's first language that the pages speak", () => {
    expect(chosenLanguage(["fr-FR", "ko-KR", "en-US"])).toBe("ko");
  });

  it("is English where they speak none of them", () => {
    expect(chosenLanguage(["fr-FR"])).toBe("en");
  });

  it("is the one that was chosen before", () => {
    rememberLanguage("ko");
    expect(chosenLanguage(["en-US"])).toBe("ko");
  });

  it("is no stored word that is no language", () => {
    localStorage.setItem("mien.language", "toString");
    expect(chosenLanguage(["ko"])).toBe("ko");
  });
});
