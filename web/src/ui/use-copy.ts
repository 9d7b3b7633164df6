import { useEffect, useState } from "react";

const SAID_MS = 2_500;

/** Return what was copied a moment ago, or null, and what copies. */
export function useCopy(): [copied: string | null, copy: (text: string) => void] {
  const [copied, setCopied] = useState<string | null>(null);
  useEffect(() => {
    if (copied === null) return;
    const timer = setTimeout(() => setCopied(null), SAID_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = (text: string) => void navigator.clipboard.writeText(text).then(() => setCopied(text));
  return [copied, copy];
}
