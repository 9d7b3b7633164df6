import type { Reference } from "../api/client";
import { type PhotoFindings, Problem } from "../api/problem";
import type { LanguageCode } from "../i18n/language";
import { Store } from "../state/store";

/** As many photos of one face as the server combines. */
export const MOST_PHOTOS = 5;

/** What has become of photos. */
export type PhotosState =
  | { kind: "none" }
  | { kind: "chosen" }
  | { kind: "uploading" }
  | { kind: "refused"; problem: Problem }
  | { kind: "ready"; id: string; count: number }
  /** The server has forgotten them, as after a restart: they must be declared anew. */
  | { kind: "gone" };

/** A photo that was chosen; `found` is what the server said of it, null before it was asked. */
export interface Photo {
  file: File;
  url: string;
  found: PhotoFindings | null;
}

export interface LoanState {
  photos: readonly Photo[];
  upload: PhotosState;
  /** More photos were chosen than are combined. */
  tooMany: boolean;
  agreed: boolean;
  declaredBy: string;
}

export interface PhotoLoanOptions {
  /** Hands photos in, with who declares that their owner agreed. */
  handIn: (files: readonly File[], declaredBy: string, language: LanguageCode) => Promise<Reference>;
  /** Called when it may have become another face, or none. */
  onChange: () => void;
  /** Called when the server refuses photos. */
  onProblem: (problem: Problem) => void;
}

/** Photos of one face, handed in together with the declaration that its owner agreed. */
export class PhotoLoan {
  readonly state = new Store<LoanState>({
    photos: [],
    upload: { kind: "none" },
    tooMany: false,
    agreed: false,
    declaredBy: "",
  });

  constructor(private readonly options: PhotoLoanOptions) {}

  /** The server's name for the face; null while it has not taken the photos. */
  get id(): string | null {
    const { upload } = this.state.get();
    return upload.kind === "ready" ? upload.id : null;
  }

  declare(change: Partial<Pick<LoanState, "agreed" | "declaredBy">>): void {
    this.state.patch(change);
  }

  take(files: FileList | readonly File[] | null | undefined): void {
    const chosen = [...(files ?? [])];
    const { photos, upload } = this.state.get();
    if (chosen.length === 0 || upload.kind === "uploading") return;
    const room = MOST_PHOTOS - photos.length;
    const added = chosen
      .slice(0, room)
      .map((file) => ({ file, url: URL.createObjectURL(file), found: null }));
    this.change({
      photos: [...photos, ...added],
      upload: { kind: "chosen" },
      tooMany: chosen.length > room,
      agreed: false, // the declaration was about the photos before
    });
  }

  remove(photo: Photo): void {
    URL.revokeObjectURL(photo.url);
    const photos = this.state.get().photos.filter((other) => other !== photo);
    this.change({ photos, upload: { kind: photos.length === 0 ? "none" : "chosen" }, tooMany: false });
  }

  /** Hand the photos in, with the declaration in the language that it was shown in. */
  async upload(language: LanguageCode): Promise<void> {
    const { photos, declaredBy } = this.state.get();
    this.change({ upload: { kind: "uploading" } });
    try {
      const files = photos.map(({ file }) => file);
      const answer = await this.options.handIn(files, declaredBy.trim(), language);
      const ready = { kind: "ready", id: answer.id, count: photos.length } as const;
      this.change({ photos: judged(photos, answer.photos), upload: ready });
    } catch (error) {
      const problem = Problem.from(error);
      this.change({ photos: judged(photos, problem.photos), upload: { kind: "refused", problem } });
      this.options.onProblem(problem);
    }
  }

  /** Take in that the server knows the photos no more. @returns Whether it had known them. */
  forget(): boolean {
    if (this.id === null) return false;
    this.change({ upload: { kind: "gone" }, agreed: false });
    return true;
  }

  /** Begin with other photos. Who declares it is most likely still the same. */
  clear(): void {
    for (const { url } of this.state.get().photos) URL.revokeObjectURL(url);
    this.change({ photos: [], upload: { kind: "none" }, tooMany: false, agreed: false });
  }

  get kept(): KeptLoan {
    const { upload } = this.state.get();
    return upload.kind === "ready" ? { id: upload.id, count: upload.count } : null;
  }

  restore(kept: KeptLoan): void {
    this.state.patch({ upload: kept === null ? { kind: "none" } : { kind: "ready", ...kept } });
  }

  private change(change: Partial<LoanState>): void {
    this.state.patch(change);
    this.options.onChange();
  }
}

/** What of it outlives the page. The photos themselves do not: they are files of the person's. */
export type KeptLoan = { id: string; count: number } | null;

/** Whether a photo was looked at and nothing about it could be better. */
export function isGood({ found }: Photo): boolean {
  return found?.findings.length === 0;
}

function judged(photos: readonly Photo[], found: readonly PhotoFindings[]): readonly Photo[] {
  return photos.map((photo, i) => ({ ...photo, found: found[i] ?? photo.found }));
}
