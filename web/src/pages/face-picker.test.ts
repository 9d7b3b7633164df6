import { beforeEach, describe, expect, it, vi } from "vitest";
import openapi from "../../openapi.json";
import type { Api, Persona } from "../api/client";
import { hiding, swapping } from "../api/policy";
import { Problem } from "../api/problem";
import { en } from "../i18n/en";
import { ko } from "../i18n/ko";
import { Language } from "../i18n/language";
import { FacePicker, MOST_PHOTOS } from "./face-picker";

const MASKS = ["volto", "marble"].map(
  (name): Persona => ({
    id: `mask:${name}`,
    kind: "mask",
    title: { en: name, ko: name },
    preview_url: `/${name}.jpg`,
  }),
);
const PHOTO = new File(["jpeg"], "me.jpg", { type: "image/jpeg" });
const OTHER = new File(["more"], "side.jpg", { type: "image/jpeg" });

const GOOD = { findings: [] };
const DARK = {
  findings: [
    {
      code: "too_dark",
      severity: "warn" as const,
      value: 60,
      limit: 85,
      advice: { en: "Switch on a light.", ko: "불을 켜 주세요." },
    },
  ],
};

async function picker(
  addReference: Api["addReference"] = async (photos) => ({
    id: "reference:1",
    notes: [],
    photos: photos.map((_, i) => (i === 0 ? DARK : GOOD)),
  }),
) {
  const onChange = vi.fn();
  const onProblem = vi.fn();
  const added = vi.fn(addReference);
  const language = new Language(["en"]);
  const subject = new FacePicker({
    api: { personas: async () => MASKS, addReference: added },
    language,
    onChange,
    onProblem,
  });
  document.body.replaceChildren(subject.element);
  await subject.load();

  const find = <T extends HTMLElement>(selector: string) => {
    const element = subject.element.querySelector<T>(selector);
    if (element === null) throw new Error(`no ${selector}`);
    return element;
  };
  return {
    subject,
    language,
    find,
    added,
    onProblem,
    photos: () => [...subject.element.querySelectorAll(".photos > li")].map((item) => item.textContent),
    choose: (kind: string) => find<HTMLInputElement>(`input[value="${kind}"]`).click(),
    takePhotos: (...files: File[]) => {
      const input = find<HTMLInputElement>('input[type="file"]');
      Object.defineProperty(input, "files", { value: files, configurable: true });
      input.dispatchEvent(new Event("change"));
    },
    declare: (name: string) => {
      find<HTMLInputElement>('input[name="agreed"]').click();
      const field = find<HTMLInputElement>('input[name="declared-by"]');
      field.value = name;
      field.dispatchEvent(new Event("input"));
    },
    upload: async () => {
      find<HTMLButtonElement>('button[name="upload"]').click();
      await vi.waitFor(() => expect(find('button[name="upload"]').textContent).not.toMatch(/^Checking/));
    },
  };
}

describe("FacePicker", () => {
  it("says how hidden faces shall look only once that is chosen, beside a swap too", async () => {
    const { subject, find, choose } = await picker();
    choose("mosaic");
    expect(subject.policy).toEqual(hiding());
    const pick = (name: string, value: string) => {
      const select = find<HTMLSelectElement>(`select[name="${name}"]`);
      select.value = value;
      select.dispatchEvent(new Event("change"));
    };
    pick("mosaic-style", "blur");
    expect(subject.policy).toEqual(hiding({ style: "blur" }));
    pick("mosaic-shape", "head");
    choose("mask");
    expect(subject.policy).toEqual(swapping("mask:volto", "primary", { style: "blur", shape: "head" }));
    pick("mosaic-shape", ""); // null is the server's own choice
    expect(subject.policy).toEqual(swapping("mask:volto", "primary", { style: "blur", shape: null }));
  });

  beforeEach(() => {
    localStorage.clear();
    vi.spyOn(URL, "createObjectURL").mockReturnValue("blob:photo");
  });

  it("begins with the first mask, so that one tap goes live", async () => {
    const { subject } = await picker();
    expect(subject.policy).toEqual(swapping("mask:volto", "primary"));
    expect(subject.missing).toBeNull();
  });

  it("asks for the mask that was chosen, for everybody if asked", async () => {
    const { subject, choose, find } = await picker();
    choose("mask:marble");
    find<HTMLInputElement>('input[name="everybody"]').click();
    expect(subject.policy).toEqual(swapping("mask:marble", "everyone"));
  });

  it("asks for a mosaic without any face", async () => {
    const { subject, choose } = await picker();
    choose("mosaic");
    expect(subject.policy).toEqual(hiding());
  });

  it("uses no photo whose owner's agreement was not declared by somebody with a name", async () => {
    const { subject, choose, takePhotos, find, declare } = await picker();
    choose("photo");
    expect(subject.missing).toBe(en.face.needsPhoto);
    takePhotos(PHOTO);
    const upload = find<HTMLButtonElement>('button[name="upload"]');
    expect(upload.hasAttribute("disabled")).toBe(true);
    declare("  ");
    expect(upload.hasAttribute("disabled")).toBe(true);
    declare("Kim");
    find<HTMLInputElement>('input[name="agreed"]').click();
    expect(upload.hasAttribute("disabled")).toBe(false);
    expect(subject.policy).toBeNull();
  });

  it("asks for the photos once the server took them as one face", async () => {
    const { subject, choose, takePhotos, declare, upload, added } = await picker();
    choose("photo");
    takePhotos(PHOTO, OTHER);
    declare("Kim");
    await upload();
    expect(added).toHaveBeenCalledWith([PHOTO, OTHER], "Kim", "en");
    expect(subject.policy).toEqual(swapping("reference:1", "primary"));
    expect(subject.element.textContent).toContain(en.face.ready(2));
  });

  it("shows what was found in each photo, in the page's language", async () => {
    const { subject, language, choose, takePhotos, declare, upload, photos } = await picker();
    choose("photo");
    takePhotos(PHOTO, OTHER);
    expect(photos()).toEqual([en.face.unseen, en.face.unseen]);
    declare("Kim");
    await upload();
    expect(photos()).toEqual(["Switch on a light.", en.face.good]);
    language.choose("ko");
    subject.translate();
    expect(photos()).toEqual(["불을 켜 주세요.", ko.face.good]);
  });

  it("lets a refused photo go, and keeps what is known of the others", async () => {
    const refused = new Problem("photo.unusable", 422, "", null, [GOOD, DARK]);
    const { choose, takePhotos, declare, upload, photos, subject, find } = await picker(() =>
      Promise.reject(refused),
    );
    choose("photo");
    takePhotos(PHOTO, OTHER);
    declare("Kim");
    await upload();
    expect(photos()).toEqual([en.face.good, "Switch on a light."]);
    expect(find('.photo [role="alert"]').textContent).toBe(en.face.someRefused);
    subject.element.querySelectorAll<HTMLButtonElement>('button[name="remove"]')[1]?.click();
    expect(photos()).toEqual([en.face.good]);
    expect(find('.photo [role="alert"]').hasAttribute("hidden")).toBe(true);
    expect(find<HTMLInputElement>('input[name="agreed"]').checked).toBe(true);
  });

  it("takes no more photos than the server combines, and says so", async () => {
    const { choose, takePhotos, photos, subject } = await picker();
    expect(MOST_PHOTOS).toBe(
      openapi.components.schemas.Body_add_reference_api_references_post.properties.photo.maxItems,
    );
    choose("photo");
    takePhotos(...Array.from({ length: MOST_PHOTOS + 1 }, (_, i) => new File(["x"], `${i}.jpg`)));
    expect(photos()).toHaveLength(MOST_PHOTOS);
    expect(subject.element.textContent).toContain(en.face.full(MOST_PHOTOS));
  });

  it("asks for the declaration anew when another photo is added", async () => {
    const { subject, choose, takePhotos, declare, upload, find } = await picker();
    choose("photo");
    takePhotos(PHOTO);
    declare("Kim");
    await upload();
    takePhotos(new File(["other"], "other.jpg"));
    expect(find<HTMLInputElement>('input[name="agreed"]').checked).toBe(false);
    expect(subject.policy).toBeNull();
  });

  it("explains why the server refused a photo", async () => {
    const refused = new Problem("photo.many_faces", 422);
    const { subject, choose, takePhotos, declare, upload, onProblem } = await picker(() =>
      Promise.reject(refused),
    );
    choose("photo");
    takePhotos(PHOTO);
    declare("Kim");
    await upload();
    expect(subject.element.textContent).toContain(en.problems["photo.many_faces"]);
    expect(subject.policy).toBeNull();
    expect(onProblem).toHaveBeenCalledWith(refused);
  });
});
