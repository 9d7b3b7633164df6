const LINK = /<([^>]*)>((?:\s*;\s*[\w-]+\s*=\s*(?:"(?:\\.|[^"\\])*"|[^",;\s]+))*)/g;
const PARAMETER = /;\s*([\w-]+)\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^",;\s]+))/g;

/** Read the STUN and TURN servers of `Link` headers (RFC 9725, 4.6; RFC 8288, 3). */
export function iceServersOf(links: string): RTCIceServer[] {
  return [...links.matchAll(LINK)].flatMap(([, url, rest]) => {
    const parameters = new Map(
      [...(rest ?? "").matchAll(PARAMETER)].map(([, name, quoted, plain]) => [
        name,
        quoted?.replace(/\\(.)/g, "$1") ?? plain,
      ]),
    );
    if (parameters.get("rel") !== "ice-server" || !/^(stun|turn)s?:/.test(url ?? "")) return [];
    const username = parameters.get("username");
    const credential = parameters.get("credential");
    return [{ urls: url ?? "", ...(username && credential ? { username, credential } : {}) }];
  });
}
