import { describe, expect, it } from "vitest";
import { Problem } from "./problem";

const answer = (status: number, body: unknown, headers: HeadersInit = {}) =>
  new Response(typeof body === "string" ? body : JSON.stringify(body), { status, headers });

describe("Problem", () => {
  it("reads an RFC 9457 answer", async () => {
    const problem = await Problem.fromResponse(
      answer(422, { code: "photo.no_face", detail: "no face in a.jpg" }),
    );
    expect(problem).toMatchObject({ code: "photo.no_face", status: 422, detail: "no face in a.jpg" });
  });

  it("survives an answer that is no JSON, such as a proxy's page", async () => {
    const problem = await Problem.fromResponse(answer(502, "<html>bad gateway</html>"));
    expect(problem.code).toBe("unknown");
    expect(problem.retryable).toBe(true);
  });

  it("knows when to try again", async () => {
    const full = await Problem.fromResponse(answer(503, { code: "live.too_many" }, { "Retry-After": "7" }));
    expect(full).toMatchObject({ retryable: true, retryAfterSeconds: 7 });
    expect(new Problem("live.no_such_broadcast", 404).retryable).toBe(false);
  });

  it("knows that a broadcast is over from a name or from 410, but not from any 404", () => {
    expect(new Problem("live.no_such_broadcast", 404).isOver).toBe(true);
    expect(new Problem("unknown", 410).isOver).toBe(true);
    expect(new Problem("unknown", 404).isOver).toBe(false);
  });

  it("calls a failed fetch a network problem", () => {
    expect(Problem.fromFetch(new TypeError("Failed to fetch"))).toMatchObject({
      code: "network",
      retryable: true,
    });
  });

  it("does not take a mistake of our own for a bad line", () => {
    expect(Problem.from(new TypeError("x is undefined"))).toMatchObject({
      code: "unknown",
      retryable: false,
    });
  });
});
