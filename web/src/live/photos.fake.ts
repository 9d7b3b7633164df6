import type { Api, Finding } from "../api/client";
import type { PhotoFindings } from "../api/problem";

const LIGHT: Finding = {
  code: "too_dark",
  severity: "warn",
  value: 60,
  limit: 85,
  advice: { en: "Switch on a light.", ko: "불을 켜 주세요." },
};

export const PHOTO = new File(["jpeg"], "me.jpg", { type: "image/jpeg" });
export const OTHER = new File(["more"], "side.jpg", { type: "image/jpeg" });
export const GOOD: PhotoFindings = { findings: [] };
export const DARK: PhotoFindings = { findings: [LIGHT] };

/** Take photos as the server does: the first one could be better. */
export const takesPhotos: Api["addReference"] = async (photos) => ({
  id: "reference:1",
  name: "",
  notes: [],
  use: "swap",
  photos: photos.map((_, i) => (i === 0 ? DARK : GOOD)),
});
