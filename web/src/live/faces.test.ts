import { beforeEach, describe, expect, it, vi } from "vitest";
import openapi from "../../openapi.json";
import type { Api } from "../api/client";
import { hiding, swapping } from "../api/policy";
import { Problem } from "../api/problem";
import { FaceChoice } from "./faces";
import { MOST_PHOTOS } from "./photo-loan";
import { DARK, GOOD, OTHER, PHOTO, takesPhotos } from "./photos.fake";

const MASKS = [{ id: "mask:volto" }, { id: "mask:marble" }];
function choosing(addReference: Api["addReference"] = takesPhotos) {
  const [onChange, onProblem, added] = [vi.fn(), vi.fn(), vi.fn(addReference)];
  const faces = new FaceChoice({ api: { addReference: added }, onChange, onProblem });
  faces.offer(MASKS);
  const lend = async (...files: File[]) => {
    faces.choose({ kind: "photo" });
    faces.photos.take(files);
    faces.photos.declare({ agreed: true, declaredBy: " Kim " });
    await faces.photos.upload("en");
  };
  return { faces, added, onChange, onProblem, lend };
}

describe("FaceChoice", () => {
  beforeEach(() => {
    let number = 0;
    vi.spyOn(URL, "createObjectURL").mockImplementation(() => `blob:${number++}`);
  });

  it("begins with the first mask, so that one tap goes live, and keeps to what is chosen", () => {
    const { faces } = choosing();
    expect(faces.policy).toEqual(swapping("mask:volto", "primary"));
    faces.choose({ mask: "mask:marble", everybody: true });
    faces.offer(MASKS);
    expect(faces.policy).toEqual(swapping("mask:marble", "everyone"));
  });

  it("says how hidden faces shall look only once that is chosen, beside a swap too", () => {
    const { faces } = choosing();
    faces.choose({ kind: "mosaic" });
    expect(faces.policy).toEqual(hiding());
    faces.choose({ look: { style: "blur" } });
    expect(faces.policy).toEqual(hiding({ style: "blur" }));
    faces.choose({ kind: "mask", look: { style: "blur", shape: null } }); // null is the server's own choice
    expect(faces.policy).toEqual(swapping("mask:volto", "primary", { style: "blur", shape: null }));
  });

  it("has no policy before the server took the photos as one face", async () => {
    const { faces, added, lend } = choosing();
    faces.choose({ kind: "photo" });
    expect(faces.policy).toBeNull();
    await lend(PHOTO, OTHER);
    expect(added).toHaveBeenCalledWith([PHOTO, OTHER], { declaredBy: "Kim", language: "en", use: "swap" });
    expect(faces.policy).toEqual(swapping("reference:1", "primary"));
    expect(faces.photos.state.get().photos.map(({ found }) => found)).toEqual([DARK, GOOD]);
  });

  it("asks for the declaration anew when another photo is added", async () => {
    const { faces, lend } = choosing();
    await lend(PHOTO);
    faces.photos.take([OTHER]);
    expect(faces.photos.state.get().agreed).toBe(false);
    expect(faces.policy).toBeNull();
  });

  it("lets a refused photo go, and keeps what is known of the others", async () => {
    const refused = new Problem("photo.unusable", 422, "", null, [GOOD, DARK]);
    const { faces, lend, onProblem } = choosing(() => Promise.reject(refused));
    await lend(PHOTO, OTHER);
    expect(onProblem).toHaveBeenCalledWith(refused);
    expect(faces.photos.state.get().upload).toEqual({ kind: "refused", problem: refused });
    const [, second] = faces.photos.state.get().photos;
    if (second !== undefined) faces.photos.remove(second);
    expect(faces.photos.state.get()).toMatchObject({ upload: { kind: "chosen" }, agreed: true });
    expect(faces.photos.state.get().photos.map(({ found }) => found)).toEqual([GOOD]);
  });

  it("takes no more photos than the server combines", () => {
    const { faces } = choosing();
    expect(MOST_PHOTOS).toBe(
      openapi.components.schemas.Body_add_reference_api_references_post.properties.photo.maxItems,
    );
    faces.photos.take(Array.from({ length: MOST_PHOTOS + 1 }, (_, i) => new File(["x"], `${i}.jpg`)));
    expect(faces.photos.state.get()).toMatchObject({ tooMany: true });
    expect(faces.photos.state.get().photos).toHaveLength(MOST_PHOTOS);
  });

  it("asks for photos anew that the server has forgotten, once, and only where photos are chosen", async () => {
    const { faces, lend } = choosing();
    expect(faces.forget()).toBe(false); // a mask is worn
    await lend(PHOTO);
    expect(faces.forget()).toBe(true);
    expect(faces.photos.state.get()).toMatchObject({ upload: { kind: "gone" }, agreed: false });
    expect(faces.policy).toBeNull();
    expect(faces.forget()).toBe(false);
    expect(faces.photos.state.get().photos).toHaveLength(1); // they need not be looked for again
  });

  it("is brought back with the face that the server still has", async () => {
    const { faces, lend } = choosing();
    await lend(PHOTO, OTHER);
    faces.choose({ everybody: true });
    const again = choosing().faces;
    again.restore(JSON.parse(JSON.stringify(faces.kept)));
    expect(again.policy).toEqual(swapping("reference:1", "everyone"));
    expect(again.photos.state.get().upload).toMatchObject({ kind: "ready", count: 2 });
  });
});
