import type { Api } from "../api/client";
import { type Policy, showing } from "../api/policy";
import type { Problem } from "../api/problem";
import type { LanguageCode } from "../i18n/language";
import { Store } from "../state/store";
import { PhotoLoan } from "./photo-loan";

/** Somebody whom the server knows by photos, and shows. */
export interface Person {
  id: string;
  name: string;
}

export interface PeopleState {
  people: readonly Person[];
  /** Somebody is being registered. */
  isRegistering: boolean;
  name: string;
  /** Names of those whom the server has forgotten, as after a restart, or because they were taken back elsewhere. */
  gone: readonly string[];
}

export interface PeopleOptions {
  api: Pick<Api, "addReference" | "withdraw">;
  /** Called when others are to be shown than before. */
  onChange: () => void;
  onProblem: (problem: Problem) => void;
}

/** Who stays as they are. Each is registered by photos, with the declaration that they agreed. */
export class People {
  readonly state = new Store<PeopleState>({ people: [], isRegistering: false, name: "", gone: [] });
  readonly photos: PhotoLoan;

  constructor(private readonly options: PeopleOptions) {
    this.photos = new PhotoLoan({
      handIn: (files, declaredBy, language) => {
        const name = this.state.get().name.trim();
        return options.api.addReference(files, { declaredBy, language, use: "show", name });
      },
      onChange: () => undefined, // the policy only changes once somebody is registered
      onProblem: options.onProblem,
    });
  }

  /** Add to a policy that they are shown. */
  shownIn(policy: Policy): Policy {
    return showing(
      this.state.get().people.map(({ id }) => id),
      policy,
    );
  }

  begin(): void {
    this.photos.clear();
    this.state.patch({ isRegistering: true, name: "" });
  }

  cancel(): void {
    this.photos.clear();
    this.state.patch({ isRegistering: false });
  }

  call(name: string): void {
    this.state.patch({ name });
  }

  /** Hand the photos in; whom the server knows then is shown from now on. */
  async register(language: LanguageCode): Promise<void> {
    const name = this.state.get().name.trim();
    await this.photos.upload(language);
    const { id } = this.photos;
    if (id === null) return;
    const people = [...this.state.get().people, { id, name }];
    this.state.patch({ people, isRegistering: false, gone: [] });
    this.photos.clear();
    this.options.onChange();
  }

  /** Show somebody no more, and have the server forget their photos. */
  remove(person: Person): void {
    this.state.patch({ people: this.state.get().people.filter(({ id }) => id !== person.id) });
    this.options.onChange();
    void this.options.api.withdraw(person.id).catch(() => undefined); // it forgets them by itself in the end
  }

  /** Take in that the server does not know some people any more. @returns Whether any of them was registered. */
  forget(ids: readonly string[]): boolean {
    const { people, gone } = this.state.get();
    const left = people.filter(({ id }) => !ids.includes(id));
    if (left.length === people.length) return false;
    const names = people.filter((person) => !left.includes(person)).map(({ name }) => name);
    this.state.patch({ people: left, gone: [...gone, ...names] });
    this.options.onChange();
    return true;
  }

  get kept(): readonly Person[] {
    return this.state.get().people;
  }

  restore(people: readonly Person[]): void {
    this.state.patch({ people });
  }
}
