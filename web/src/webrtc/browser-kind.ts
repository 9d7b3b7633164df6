export type BrowserKind = "chromium" | "firefox" | "safari" | "ios" | "android" | "other";

/** Which browser this is, as far as the way to its permissions goes. Nothing else may depend on it. */
export function browserKind({ userAgent, maxTouchPoints }: NavigatorLike = navigator): BrowserKind {
  // An iPad calls itself a Mac, but no Mac has a touch screen. Every browser on iOS is Safari underneath.
  if (/iPhone|iPad|iPod/.test(userAgent) || (/Macintosh/.test(userAgent) && maxTouchPoints > 1)) return "ios";
  if (/Firefox\//.test(userAgent)) return "firefox";
  if (/Chrom(e|ium)\//.test(userAgent)) return /Android/.test(userAgent) ? "android" : "chromium";
  return /Safari\//.test(userAgent) ? "safari" : "other";
}

type NavigatorLike = Pick<Navigator, "userAgent" | "maxTouchPoints">;
