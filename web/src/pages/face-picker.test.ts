import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Persona } from "../api/client";
import { Problem } from "../api/problem";
import { en } from "../words/en";
import { Language } from "../words/language";
import { FacePicker } from "./face-picker";

const MASKS = ["volto", "marble"].map(
  (name): Persona => ({
    id: `mask:${name}`,
    kind: "mask",
    title: { en: name, ko: name },
    preview_url: `/${name}.jpg`,
  }),
);
const PHOTO = new File(["jpeg"], "me.jpg", { type: "image/jpeg" });

async function picker(addReference = async () => ({ id: "reference:1", notes: ["a little dark"] })) {
  const onChange = vi.fn();
  const onProblem = vi.fn();
  const added = vi.fn(addReference);
  const subject = new FacePicker({
    api: { personas: async () => MASKS, addReference: added },
    language: new Language(["en"]),
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
    find,
    added,
    onProblem,
    choose: (kind: string) => find<HTMLInputElement>(`input[value="${kind}"]`).click(),
    takePhoto: (file = PHOTO) => {
      const input = find<HTMLInputElement>('input[type="file"]');
      Object.defineProperty(input, "files", { value: [file], configurable: true });
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
      await vi.waitFor(() => expect(find('button[name="upload"]').textContent).toBe(en.face.upload));
    },
  };
}

describe("FacePicker", () => {
  it("says how hidden faces shall look only once that is chosen, beside a swap too", async () => {
    const { subject, find, choose } = await picker();
    choose("mosaic");
    expect(subject.wish).toEqual({ treatment: "mosaic" });
    const pick = (name: string, value: string) => {
      const select = find<HTMLSelectElement>(`select[name="${name}"]`);
      select.value = value;
      select.dispatchEvent(new Event("change"));
    };
    pick("mosaic-style", "blur");
    expect(subject.wish).toEqual({ treatment: "mosaic", mosaic_style: "blur" });
    pick("mosaic-shape", "head");
    choose("mask");
    expect(subject.wish).toMatchObject({ treatment: "swap", mosaic_style: "blur", mosaic_shape: "head" });
    expect(find<HTMLOptionElement>('select[name="mosaic-shape"] option[value=""]').hidden).toBe(true);
  });

  beforeEach(() => {
    localStorage.clear();
    vi.spyOn(URL, "createObjectURL").mockReturnValue("blob:photo");
  });

  it("begins with the first mask, so that one tap goes live", async () => {
    const { subject } = await picker();
    expect(subject.wish).toEqual({ treatment: "swap", persona: "mask:volto", others: "mosaic" });
    expect(subject.missing).toBeNull();
  });

  it("wishes for the mask that was chosen, for everybody if asked", async () => {
    const { subject, choose, find } = await picker();
    choose("mask:marble");
    find<HTMLInputElement>('input[name="everybody"]').click();
    expect(subject.wish).toEqual({ treatment: "swap", persona: "mask:marble", others: "swap" });
  });

  it("wishes for a mosaic without any face", async () => {
    const { subject, choose } = await picker();
    choose("mosaic");
    expect(subject.wish).toEqual({ treatment: "mosaic" });
  });

  it("uses no photo whose owner's agreement was not declared by somebody with a name", async () => {
    const { subject, choose, takePhoto, find, declare } = await picker();
    choose("photo");
    expect(subject.missing).toBe(en.face.needsPhoto);
    takePhoto();
    const upload = find<HTMLButtonElement>('button[name="upload"]');
    expect(upload.hasAttribute("disabled")).toBe(true);
    declare("  ");
    expect(upload.hasAttribute("disabled")).toBe(true);
    declare("Kim");
    find<HTMLInputElement>('input[name="agreed"]').click();
    expect(upload.hasAttribute("disabled")).toBe(false);
    expect(subject.wish).toBeNull();
  });

  it("wishes for the photo once the server took it, and shows the server's notes", async () => {
    const { subject, choose, takePhoto, declare, upload, added } = await picker();
    choose("photo");
    takePhoto();
    declare("Kim");
    await upload();
    expect(added).toHaveBeenCalledWith(PHOTO, "Kim", "en");
    expect(subject.wish).toEqual({ treatment: "swap", persona: "reference:1", others: "mosaic" });
    expect(subject.element.textContent).toContain("a little dark");
  });

  it("asks for the declaration anew when another photo is chosen", async () => {
    const { subject, choose, takePhoto, declare, upload, find } = await picker();
    choose("photo");
    takePhoto();
    declare("Kim");
    await upload();
    takePhoto(new File(["other"], "other.jpg"));
    expect(find<HTMLInputElement>('input[name="agreed"]').checked).toBe(false);
    expect(subject.wish).toBeNull();
  });

  it("explains why the server refused a photo", async () => {
    const refused = new Problem("photo.many_faces", 422);
    const { subject, choose, takePhoto, declare, upload, onProblem } = await picker(() =>
      Promise.reject(refused),
    );
    choose("photo");
    takePhoto();
    declare("Kim");
    await upload();
    expect(subject.element.textContent).toContain(en.problems["photo.many_faces"]);
    expect(subject.wish).toBeNull();
    expect(onProblem).toHaveBeenCalledWith(refused);
  });
});
