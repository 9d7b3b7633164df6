import type { components } from "./schema";

/** What the server found in a photo. */
export type PhotoFindings = components["schemas"]["PhotoOut"];

/**
 * Something the server refused (RFC 9457), or a failure to reach it at all.
 *
 * `code` is the stable name of the error; `detail` is the server's own English sentence about this very case.
 * `photos` says of each photo that was handed in what was found in it, where photos were refused, and `people` whom a
 * policy names that the server does not know.
 */
export class Problem extends Error {
  override readonly name = "Problem";

  constructor(
    readonly code: string,
    readonly status: number,
    readonly detail: string = "",
    readonly retryAfterSeconds: number | null = null,
    readonly photos: readonly PhotoFindings[] = [],
    readonly people: readonly string[] = [],
  ) {
    super(`${code} (${status}): ${detail}`);
  }

  /** Whether the same request may succeed later, with nothing changed by the person. */
  get retryable(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }

  /** Whether the server says that the broadcast is over: it knows of none, or of none any more. */
  get isOver(): boolean {
    return this.code === "live.no_such_broadcast" || this.status === 410;
  }

  static async fromResponse(response: Response): Promise<Problem> {
    return Problem.fromBody(await response.json().catch(() => null), response);
  }

  /** Make one of a body that was read already. */
  static fromBody(body: unknown, { status, headers }: Pick<Response, "status" | "headers">): Problem {
    const { code, detail, photos, people } =
      typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
    const retryAfter = Number.parseInt(headers.get("Retry-After") ?? "", 10);
    return new Problem(
      typeof code === "string" ? code : "unknown",
      status,
      typeof detail === "string" ? detail : "",
      Number.isNaN(retryAfter) ? null : retryAfter,
      Array.isArray(photos) ? (photos as PhotoFindings[]) : [],
      Array.isArray(people) ? people.map(String) : [],
    );
  }

  /** What `fetch` threw, as a problem: it throws TypeError where the network fails. */
  static fromFetch(error: unknown): Problem {
    return error instanceof TypeError ? new Problem("network", 0, error.message) : Problem.from(error);
  }

  /** Whatever was thrown, as a problem; a mistake of our own is not worth a retry. */
  static from(error: unknown): Problem {
    return error instanceof Problem ? error : new Problem("unknown", -1, String(error));
  }
}
