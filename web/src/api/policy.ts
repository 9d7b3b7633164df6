import type { components } from "./schema";

/** Who gets which treatment: the server's policy document. */
export type Policy = components["schemas"]["PolicyDocument"];
export type MosaicStyle = components["schemas"]["MosaicStyle"];
export type MosaicShape = components["schemas"]["MosaicShape"];

type Rule = components["schemas"]["Rule"];

/** How hidden faces look; null, or what is left out, is the server's own choice. */
export interface MosaicLook {
  style?: MosaicStyle | null;
  shape?: MosaicShape | null;
}

/** Hide everybody. */
export function hiding(look: MosaicLook = {}): Policy {
  return { version: 1, rules: [everyone({ kind: "mosaic", ...look })] };
}

/** Give one person the persona and hide the others, or give it to everyone. */
export function swapping(persona: string, to: "primary" | "everyone", look: MosaicLook = {}): Policy {
  const mosaic = { kind: "mosaic", ...look } as const;
  const swap = { kind: "swap", persona, fallback: mosaic } as const;
  if (to === "everyone") return { version: 1, rules: [everyone(swap)] };
  return { version: 1, rules: [{ subject: { kind: "primary" }, treatment: swap }, everyone(mosaic)] };
}

/** Show some people, each known by photos, whatever a policy does with everybody else. */
export function showing(people: readonly string[], { rules = [], ...policy }: Policy): Policy {
  const shown = people.map((id): Rule => ({ subject: { kind: "person", id }, treatment: { kind: "show" } }));
  return { ...policy, rules: [...shown, ...rules] };
}

/** What to call a policy in a word. */
export function treatmentOf({ rules = [] }: Policy): "swap" | "mosaic" {
  return rules.some(({ treatment }) => treatment.kind === "swap") ? "swap" : "mosaic";
}

function everyone(treatment: Rule["treatment"]): Rule {
  return { subject: { kind: "everyone" }, treatment };
}
