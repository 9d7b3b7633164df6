import { act, fireEvent, waitFor } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Api } from "../../api/client";
import { Problem } from "../../api/problem";
import { en } from "../../i18n/en";
import { ko } from "../../i18n/ko";
import { FaceChoice } from "../../live/faces";
import { DARK, GOOD, OTHER, PHOTO, takesPhotos } from "../../live/photos.fake";
import { rendered } from "../../ui/rendered.fake";
import { FacePicker } from "./face-picker";

function picking(addReference: Api["addReference"] = takesPhotos) {
  const faces = new FaceChoice({
    api: { addReference },
    onChange: () => undefined,
    onProblem: () => undefined,
  });
  const page = rendered(<FacePicker api={{ personas: async () => [] }} faces={faces} />);
  const find = <T extends HTMLElement>(selector: string) => {
    const element = page.container.querySelector<T>(selector);
    if (element === null) throw new Error(`no ${selector}`);
    return element;
  };
  const declare = (name: string) => {
    fireEvent.click(find('input[name="agreed"]'));
    fireEvent.change(find('input[name="declared-by"]'), { target: { value: name } });
  };
  const lend = async (...files: File[]) => {
    fireEvent.click(find('input[value="photo"]'));
    fireEvent.change(find('input[type="file"]'), { target: { files } });
    declare("Kim");
    fireEvent.click(find('button[name="upload"]'));
    await waitFor(() => expect(faces.photos.state.get().upload.kind).not.toBe("uploading"));
  };
  const photos = () => [...page.container.querySelectorAll(".photos > li")].map((item) => item.textContent);
  return { ...page, faces, find, declare, lend, photos };
}

describe("FacePicker with photos", () => {
  beforeEach(() => {
    let number = 0;
    vi.spyOn(URL, "createObjectURL").mockImplementation(() => `blob:${number++}`);
  });

  it("uses no photo whose owner's agreement was not declared by somebody with a name", () => {
    const { find, declare } = picking();
    fireEvent.click(find('input[value="photo"]'));
    fireEvent.change(find('input[type="file"]'), { target: { files: [PHOTO] } });
    const upload = find<HTMLButtonElement>('button[name="upload"]');
    expect(upload.disabled).toBe(true);
    declare("  ");
    expect(upload.disabled).toBe(true);
    fireEvent.change(find('input[name="declared-by"]'), { target: { value: "Kim" } });
    expect(upload.disabled).toBe(false);
  });

  it("shows what was found in each photo, in the page's language", async () => {
    const { lend, photos, speak, container } = picking();
    await lend(PHOTO, OTHER);
    expect(photos()).toEqual(["Switch on a light.", en.face.good]);
    expect(container.textContent).toContain("2 photos are ready as one face.");
    await speak("ko");
    expect(photos()).toEqual(["불을 켜 주세요.", ko.face.good]);
  });

  it("says of several photos that some are refused, and beside each what is wrong with it", async () => {
    const refused = new Problem("photo.unusable", 422, "", null, [GOOD, DARK]);
    const { lend, photos, find } = picking(() => Promise.reject(refused));
    await lend(PHOTO, OTHER);
    expect(photos()).toEqual([en.face.good, "Switch on a light."]);
    expect(find('.photo [role="alert"]').textContent).toBe(en.face.someRefused);
  });

  it("explains why the server refused a photo", async () => {
    const { lend, find } = picking(() => Promise.reject(new Problem("photo.many_faces", 422)));
    await lend(PHOTO);
    expect(find('.photo [role="alert"]').textContent).toBe(en.problems["photo.many_faces"]);
  });

  it("says of a file what the server says: cut off, animated, of a kind that is not read", async () => {
    const detail = "the second photo is animated or has several pages";
    const { lend, find } = picking(() => Promise.reject(new Problem("media.unreadable", 422, detail)));
    await lend(PHOTO, OTHER);
    expect(find('.photo [role="alert"] [lang="en"]').textContent).toBe(detail);
  });

  it("says once that the photos are gone, and asks for the declaration again", async () => {
    const { lend, find, faces, container } = picking();
    await lend(PHOTO);
    act(() => void faces.forget());
    await waitFor(() => expect(find('.photo [role="alert"]').textContent).toBe(en.face.gone));
    expect(container.querySelectorAll('[role="alert"]')).toHaveLength(1);
    expect(find<HTMLInputElement>('input[name="agreed"]').checked).toBe(false);
  });
});
