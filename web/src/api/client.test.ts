import { describe, expect, it, vi } from "vitest";
import openapi from "../../openapi.json";
import { en } from "../i18n/en";
import { ko } from "../i18n/ko";
import { Api } from "./client";
import { hiding, swapping } from "./policy";
import { Problem } from "./problem";

/** An API whose server gives these answers, one after another, and keeps what it was asked. */
function served(...answers: Response[]) {
  const requests: Request[] = [];
  const api = new Api(
    () => "operator",
    async (request) => {
      requests.push(request);
      return answers.shift() ?? new Response(null, { status: 500 });
    },
  );
  return { api, requests };
}

const json = (body: unknown, status = 200) =>
  new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } });

describe("Api", () => {
  it("makes a broadcast with the operator's token", async () => {
    const { api, requests } = served(json({ id: "b", token: "t" }, 201));
    const created = await api.create(swapping("mask:volto", "everyone"), "Hello");
    expect(created.id).toBe("b");
    expect(requests[0]?.headers.get("Authorization")).toBe("Bearer operator");
    expect(await requests[0]?.json()).toEqual({ policy: swapping("mask:volto", "everyone"), title: "Hello" });
  });

  it("changes and ends a broadcast with the broadcast's own token", async () => {
    const { api, requests } = served(json({}), new Response(null, { status: 204 }));
    await api.change("b/../x", "secret", hiding());
    await api.end("b", "secret");
    expect(requests.map((request) => request.headers.get("Authorization"))).toEqual([
      "Bearer secret",
      "Bearer secret",
    ]);
    expect(new URL(requests[0]?.url ?? "").pathname).toBe("/api/broadcasts/b%2F..%2Fx");
  });

  it("begins and ends a recording without touching the treatment", async () => {
    const { api, requests } = served(json({}), json({}));
    await api.record("b", "secret", true);
    await api.record("b", "secret", false);
    expect(await requests[0]?.json()).toEqual({ record: true });
    expect(await requests[1]?.json()).toEqual({ record: false });
    expect(requests[0]?.headers.get("Authorization")).toBe("Bearer secret");
  });

  it("ends a broadcast from a page that goes with a beacon that carries its token, unless it is back soon", () => {
    const sent = vi.fn(() => true);
    vi.stubGlobal("navigator", { sendBeacon: sent });
    served().api.leave("b/x", "secret");
    vi.unstubAllGlobals();
    expect(sent).toHaveBeenCalledWith("/api/broadcasts/b%2Fx/end?after_s=20", "secret");
  });

  it("sends photos with the declaration of their owner's agreement", async () => {
    const { api, requests } = served(json({ id: "reference:1", notes: [], photos: [] }, 201));
    const photos = ["a.jpg", "b.jpg"].map((name) => new File(["jpeg"], name, { type: "image/jpeg" }));
    await api.addReference(photos, { declaredBy: "Kim", language: "ko", use: "show", name: "Ann" });
    const form = await requests[0]?.formData();
    expect(form?.get("owner_agrees")).toBe("true");
    expect(form?.get("declared_by")).toBe("Kim");
    expect(form?.get("language")).toBe("ko");
    expect([form?.get("use"), form?.get("name")]).toEqual(["show", "Ann"]);
    expect(form?.getAll("photo").map((photo) => photo instanceof File && photo.name)).toEqual([
      "a.jpg",
      "b.jpg",
    ]);
  });

  it("throws the server's problem", async () => {
    const { api } = served(json({ code: "live.too_many", detail: "at most 8" }, 503));
    await expect(api.broadcasts()).rejects.toMatchObject({ code: "live.too_many", retryable: true });
  });

  it("throws a network problem where the server cannot be reached", async () => {
    const api = new Api(
      () => null,
      () => Promise.reject(new TypeError("Failed to fetch")),
    );
    await expect(api.personas()).rejects.toEqual(new Problem("network", 0, "Failed to fetch"));
  });

  it("shows the very sentences that the server records as declared", () => {
    const { owner_agrees } = openapi.components.schemas.Body_add_reference_api_references_post.properties;
    expect(owner_agrees.description).toBe([en.face.agree, ko.face.agree].join("\n"));
  });
});
