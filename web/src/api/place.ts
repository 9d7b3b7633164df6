/**
 * Where the server's own paths begin on this page's host: "" or a prefix such as "/mien", below which a proxy serves it.
 *
 * The server writes it into every page; while the pages are being developed nobody does, and there is no prefix.
 */
export const prefix = prefixOf(
  document.querySelector<HTMLMetaElement>('meta[name="mien-home"]')?.content ?? "/",
  location.href,
);

export function prefixOf(home: string, page: string): string {
  return new URL(home, page).pathname.replace(/\/$/, "");
}

/** Return a path of the server as this page reaches it. The server leaves the prefix out where it does not know it. */
export function below(path: string, from: string = prefix): string {
  return !path.startsWith("/") || path.startsWith(`${from}/`) ? path : from + path;
}

/** Return the broadcast that the address of a watch page names. */
export function watched(path: string): string {
  return decodeURIComponent(/\/watch\/([^/]+)\/?$/.exec(path)?.[1] ?? "");
}
