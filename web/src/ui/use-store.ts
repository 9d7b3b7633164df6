import { useSyncExternalStore } from "react";
import type { Readable } from "../state/store";

/** Return a store's value, or what `select` takes of it, and render anew when that is another one. */
export function useStore<T>(store: Readable<T>): T;
export function useStore<T, Part>(store: Readable<T>, select: (value: T) => Part): Part;
export function useStore<T>(store: Readable<T>, select: (value: T) => unknown = (value) => value): unknown {
  return useSyncExternalStore(store.subscribe, () => select(store.get()));
}
