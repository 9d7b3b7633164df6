import type { Api } from "../api/client";
import { hiding, type MosaicLook, type Policy, swapping } from "../api/policy";
import { type PhotoFindings, Problem } from "../api/problem";
import type { LanguageCode } from "../i18n/language";
import { Store } from "../state/store";

export type FaceKind = "mask" | "photo" | "mosaic";

/** As many photos of one face as the server combines. */
export const MOST_PHOTOS = 5;

/** What has become of the person's own photos. */
export type PhotosState =
  | { kind: "none" }
  | { kind: "chosen" }
  | { kind: "uploading" }
  | { kind: "refused"; problem: Problem }
  | { kind: "ready"; persona: string; count: number }
  /** The server has forgotten them, as after a restart: they must be declared anew. */
  | { kind: "gone" };

/** A photo that was chosen; `found` is what the server said of it, null before it was asked. */
export interface Photo {
  file: File;
  url: string;
  found: PhotoFindings | null;
}

export interface FaceState {
  kind: FaceKind;
  everybody: boolean;
  mask: string | null;
  look: MosaicLook;
  photos: readonly Photo[];
  upload: PhotosState;
  /** More photos were chosen than are combined. */
  tooMany: boolean;
  agreed: boolean;
  declaredBy: string;
}

/** What of the choice outlives the page. The photos themselves do not: they are files of the person's. */
export type KeptFace = Pick<FaceState, "kind" | "everybody" | "mask" | "look"> & {
  lent: { persona: string; count: number } | null;
};

export interface FaceChoiceOptions {
  api: Pick<Api, "addReference">;
  /** Called when the policy may have changed. */
  onChange: () => void;
  /** Called when the server refuses photos. */
  onProblem: (problem: Problem) => void;
}

/** The choice of what happens to faces: a mask, photos of one face, or a mosaic for everyone. */
export class FaceChoice {
  readonly state = new Store<FaceState>({
    kind: "mask",
    everybody: false,
    mask: null,
    look: {},
    photos: [],
    upload: { kind: "none" },
    tooMany: false,
    agreed: false,
    declaredBy: "",
  });

  constructor(private readonly options: FaceChoiceOptions) {}

  /** What was chosen; null while a mask or a photo is still to be chosen. */
  get policy(): Policy | null {
    return policyOf(this.state.get());
  }

  /** Choose other things than photos. */
  choose(change: Partial<Pick<FaceState, "kind" | "everybody" | "mask" | "look">>): void {
    this.state.patch(change);
    this.options.onChange();
  }

  declare(change: Partial<Pick<FaceState, "agreed" | "declaredBy">>): void {
    this.state.patch(change);
  }

  /** Learn which masks there are. The first one is chosen, so that one tap goes live. */
  offer(masks: readonly { id: string }[]): void {
    const { mask } = this.state.get();
    if (mask === null && masks[0] !== undefined) this.choose({ mask: masks[0].id });
  }

  take(files: FileList | readonly File[] | null | undefined): void {
    const chosen = [...(files ?? [])];
    const { photos, upload } = this.state.get();
    if (chosen.length === 0 || upload.kind === "uploading") return;
    const room = MOST_PHOTOS - photos.length;
    const added = chosen
      .slice(0, room)
      .map((file) => ({ file, url: URL.createObjectURL(file), found: null }));
    this.changePhotos({
      photos: [...photos, ...added],
      upload: { kind: "chosen" },
      tooMany: chosen.length > room,
      agreed: false, // the declaration was about the photos before
    });
  }

  remove(photo: Photo): void {
    URL.revokeObjectURL(photo.url);
    const photos = this.state.get().photos.filter((other) => other !== photo);
    this.changePhotos({ photos, upload: { kind: photos.length === 0 ? "none" : "chosen" }, tooMany: false });
  }

  /** Hand the photos in, with the declaration in the language that it was shown in. */
  async upload(language: LanguageCode): Promise<void> {
    const { photos, declaredBy } = this.state.get();
    this.changePhotos({ upload: { kind: "uploading" } });
    try {
      const files = photos.map(({ file }) => file);
      const answer = await this.options.api.addReference(files, declaredBy.trim(), language);
      const ready = { kind: "ready", persona: answer.id, count: photos.length } as const;
      this.changePhotos({ photos: judged(photos, answer.photos), upload: ready });
    } catch (error) {
      const problem = Problem.from(error);
      this.changePhotos({ photos: judged(photos, problem.photos), upload: { kind: "refused", problem } });
      this.options.onProblem(problem);
    }
  }

  /** Take in that the server knows the photos no more. @returns Whether photos were what it did not know. */
  forget(): boolean {
    const { kind, upload } = this.state.get();
    if (kind !== "photo" || upload.kind !== "ready") return false;
    this.changePhotos({ upload: { kind: "gone" }, agreed: false });
    return true;
  }

  get kept(): KeptFace {
    const { kind, everybody, mask, look, upload } = this.state.get();
    return { kind, everybody, mask, look, lent: upload.kind === "ready" ? upload : null };
  }

  restore({ lent, ...chosen }: KeptFace): void {
    this.state.patch({ ...chosen, upload: lent === null ? { kind: "none" } : { kind: "ready", ...lent } });
  }

  private changePhotos(change: Partial<FaceState>): void {
    this.state.patch(change);
    this.options.onChange();
  }
}

export function policyOf({ kind, everybody, mask, look, upload }: FaceState): Policy | null {
  if (kind === "mosaic") return hiding(look);
  const lent = upload.kind === "ready" ? upload.persona : null;
  const persona = kind === "mask" ? mask : lent;
  return persona === null ? null : swapping(persona, everybody ? "everyone" : "primary", look);
}

/** Whether a photo was looked at and nothing about it could be better. */
export function isGood({ found }: Photo): boolean {
  return found?.findings.length === 0;
}

function judged(photos: readonly Photo[], found: readonly PhotoFindings[]): readonly Photo[] {
  return photos.map((photo, i) => ({ ...photo, found: found[i] ?? photo.found }));
}
