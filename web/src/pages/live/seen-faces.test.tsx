import { fireEvent } from "@testing-library/react";
import { createRef } from "react";
import { describe, expect, it, vi } from "vitest";
import type { Broadcast, SeenFace } from "../../api/client";
import type { LiveController } from "../../live/live-controller";
import { Store } from "../../state/store";
import { rendered } from "../../ui/rendered.fake";
import { picturePlace, SeenFaces } from "./seen-faces";

const FACE: SeenFace = {
  id: 1,
  box: [0.25, 0.1, 0.5, 0.6],
  treatment: "mosaic",
  is_primary: false,
  person: null,
  reason: null,
};

function over(
  faces: SeenFace[],
  primary: { face: number | null; asked: number | null } | null,
  load: Broadcast["load"] = "ok",
) {
  const news = new Store({ load, owner_view: { people: [], faces, primary } } as unknown as Broadcast | null);
  const choosePrimary = vi.fn();
  const video = createRef<HTMLVideoElement>() as { current: HTMLVideoElement | null };
  video.current = Object.assign(document.createElement("video"), {});
  for (const [name, value] of Object.entries({
    videoWidth: 640,
    videoHeight: 360,
    clientWidth: 320,
    clientHeight: 320,
  }))
    Object.defineProperty(video.current, name, { value });
  const page = rendered(
    <SeenFaces live={{ news, choosePrimary } as unknown as LiveController} video={video} />,
  );
  return { ...page, choosePrimary };
}

describe("SeenFaces", () => {
  it("marks the broadcaster's own face, and lets another one be chosen", () => {
    const own = { ...FACE, id: 2, is_primary: true };
    const { container, getByRole, choosePrimary } = over([own, FACE], { face: 2, asked: null });
    expect(container.querySelector("[data-primary]")?.textContent).toBe("You");
    const other = getByRole("button", { name: "This is me: face 2" });
    expect(other.style).toMatchObject({ left: "25.00%", top: "10.00%", width: "25.00%", height: "50.00%" });
    fireEvent.click(other);
    expect(choosePrimary).toHaveBeenCalledWith(1);
  });

  it("waits for the face that was asked for", () => {
    const { getByRole } = over([{ ...FACE, id: 2, is_primary: true }, FACE], { face: 2, asked: 1 });
    expect(getByRole("button").hasAttribute("disabled")).toBe(true);
  });

  it("offers nobody who is registered, and nothing where no face is anybody's own", () => {
    const ann = { ...FACE, id: 3, person: "person:1", treatment: "show" as const };
    const { container } = over([{ ...FACE, id: 2, is_primary: true }, ann], { face: 2, asked: null });
    expect(container.querySelectorAll("button")).toHaveLength(0);
    expect(over([FACE, { ...FACE, id: 2 }], null).container.textContent).toBe("");
  });

  it("offers nothing while the server is too slow for a swap", () => {
    const { container } = over([{ ...FACE, id: 2 }, FACE], { face: null, asked: null }, "no_swap");
    expect(container.textContent).toBe("");
  });

  it("lies over the picture and not over the bars beside it", () => {
    const size = { videoWidth: 640, videoHeight: 360, clientWidth: 320, clientHeight: 320 };
    expect(picturePlace(size)).toEqual({ left: 0, top: 70, width: 320, height: 180 });
    expect(picturePlace({ ...size, videoWidth: 0, videoHeight: 0 })).toBeNull();
  });
});
