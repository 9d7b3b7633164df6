import type { en } from "./en";

/**
 * What a dictionary of another language must have: the keys of `en`, each a sentence of its own.
 *
 * English has a form for one (`_one`) besides that for all other numbers (`_other`). A language without it has the latter
 * alone, as Korean does (Unicode CLDR, plural rules).
 */
export type Translated = Sentences<typeof en>;

type Sentences<T> = {
  readonly [Key in keyof T as Key extends `${string}_one` ? never : Key]: T[Key] extends string
    ? string
    : Sentences<T[Key]>;
};
