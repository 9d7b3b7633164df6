import type { Api } from "../api/client";
import { hiding, type MosaicLook, type Policy, swapping } from "../api/policy";
import type { Problem } from "../api/problem";
import { Store } from "../state/store";
import { type KeptLoan, PhotoLoan } from "./photo-loan";

export type FaceKind = "mask" | "photo" | "mosaic";

export interface FaceState {
  kind: FaceKind;
  everybody: boolean;
  mask: string | null;
  look: MosaicLook;
}

export type KeptFace = FaceState & { lent: KeptLoan };

export interface FaceChoiceOptions {
  api: Pick<Api, "addReference">;
  /** Called when the policy may have changed. */
  onChange: () => void;
  /** Called when the server refuses photos. */
  onProblem: (problem: Problem) => void;
}

/** The choice of what happens to faces: a mask, photos of one face, or a mosaic for everyone. */
export class FaceChoice {
  readonly state = new Store<FaceState>({ kind: "mask", everybody: false, mask: null, look: {} });
  readonly photos: PhotoLoan;

  constructor(private readonly options: FaceChoiceOptions) {
    const { api, onChange, onProblem } = options;
    this.photos = new PhotoLoan({
      handIn: (files, declaredBy, language) => api.addReference(files, { declaredBy, language, use: "swap" }),
      onChange,
      onProblem,
    });
  }

  /** What was chosen; null while a mask or a photo is still to be chosen. */
  get policy(): Policy | null {
    const { kind, everybody, mask, look } = this.state.get();
    if (kind === "mosaic") return hiding(look);
    const persona = kind === "mask" ? mask : this.photos.id;
    return persona === null ? null : swapping(persona, everybody ? "everyone" : "primary", look);
  }

  /** Choose other things than photos. */
  choose(change: Partial<FaceState>): void {
    this.state.patch(change);
    this.options.onChange();
  }

  /** Learn which masks there are. The first one is chosen, so that one tap goes live. */
  offer(masks: readonly { id: string }[]): void {
    const { mask } = this.state.get();
    if (mask === null && masks[0] !== undefined) this.choose({ mask: masks[0].id });
  }

  /** Take in that the server knows the photos no more. @returns Whether photos were what it did not know. */
  forget(): boolean {
    return this.state.get().kind === "photo" && this.photos.forget();
  }

  get kept(): KeptFace {
    return { ...this.state.get(), lent: this.photos.kept };
  }

  restore({ lent, ...chosen }: KeptFace): void {
    this.state.set(chosen);
    this.photos.restore(lent);
  }
}
