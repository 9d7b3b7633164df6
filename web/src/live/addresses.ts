import type { CreatedBroadcast } from "../api/client";
import { below } from "../api/place";

export interface Links {
  /** The page to watch on, as this page reaches it. */
  link: string;
  /** Whether that means the machine it is opened on, whichever that is. */
  isOnlyHere: boolean;
  /** The same page as other machines may reach it, the best first. */
  others: readonly string[];
}

/** Return the links to a broadcast that its broadcaster can pass on. */
export function linksOf(
  {
    watch_url,
    addresses = [],
  }: Pick<CreatedBroadcast, "watch_url"> & Partial<Pick<CreatedBroadcast, "addresses">>,
  here: string = location.href,
): Links {
  const link = new URL(below(watch_url), here);
  const isOnlyHere = isLoopback(link.hostname);
  const others = addresses.map((origin) => new URL(link.pathname, origin).href);
  return { link: link.href, isOnlyHere, others: isOnlyHere ? others : [] };
}

/** Whether a host's name means the machine itself (RFC 6761, 6.3; RFC 1122, 3.2.1.3). */
export function isLoopback(hostname: string): boolean {
  return /^(.+\.)?localhost$/.test(hostname) || /^127\./.test(hostname) || hostname === "[::1]";
}
