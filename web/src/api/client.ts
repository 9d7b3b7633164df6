import createClient from "openapi-fetch";
import type { LanguageCode } from "../i18n/language";
import { below, prefix } from "./place";
import type { Policy } from "./policy";
import { Problem } from "./problem";
import type { paths } from "./schema";

export type Broadcast = Awaited<ReturnType<Api["broadcast"]>>;
export type CreatedBroadcast = Awaited<ReturnType<Api["create"]>>;
export type Persona = Awaited<ReturnType<Api["personas"]>>[number];
export type Reference = Awaited<ReturnType<Api["addReference"]>>;
export type Push = Awaited<ReturnType<Api["pushes"]>>[number];
export type RecordingFile = Awaited<ReturnType<Api["recordings"]>>[number];
export type OwnerView = NonNullable<Broadcast["owner_view"]>;
export type SeenPerson = OwnerView["people"][number];
export type SeenFace = OwnerView["faces"][number];
export type Finding = Reference["photos"][number]["findings"][number];

/** So long the server waits for a page that went: one that is loaded anew is back within seconds. */
const BACK_WITHIN_S = 20;

/** The server's REST API. Every method throws a `Problem` where the server refuses or cannot be reached. */
export class Api {
  private readonly client;

  /** @param operatorToken Sent where only the operator of the server may act; null where none is known. */
  constructor(
    private readonly operatorToken: () => string | null = () => null,
    fetchThrough: (request: Request) => Promise<Response> = (request) => fetch(request),
  ) {
    this.client = createClient<paths>({ baseUrl: location.origin + prefix, fetch: fetchThrough });
  }

  async broadcasts() {
    return settle(this.client.GET("/api/broadcasts"));
  }

  /** @param token The broadcast's own: who has it is also told what became of each face. */
  async broadcast(id: string, token: string | null = null) {
    return settle(this.client.GET("/api/broadcasts/{broadcast_id}", { ...at(id), headers: bearer(token) }));
  }

  async create(policy: Policy, title: string) {
    const body = { policy, title: title || null };
    return settle(this.client.POST("/api/broadcasts", { body, headers: bearer(this.operatorToken()) }));
  }

  async change(id: string, token: string, policy: Policy) {
    const request = { ...at(id), body: { policy }, headers: bearer(token) };
    return settle(this.client.PATCH("/api/broadcasts/{broadcast_id}", request));
  }

  /** Say which face wears what the policy gives to the primary person. @param face As in `owner_view`. */
  async choosePrimary(id: string, token: string, face: number) {
    const request = { ...at(id), body: { face }, headers: bearer(token) };
    return settle(this.client.POST("/api/broadcasts/{broadcast_id}/primary", request));
  }

  /** Begin or end the recording of what viewers get. */
  async record(id: string, token: string, on: boolean) {
    const request = { ...at(id), body: { record: on }, headers: bearer(token) };
    return settle(this.client.PATCH("/api/broadcasts/{broadcast_id}", request));
  }

  async end(id: string, token: string): Promise<void> {
    await settle(this.client.DELETE("/api/broadcasts/{broadcast_id}", { ...at(id), headers: bearer(token) }));
  }

  /**
   * End a broadcast from a page that goes, unless somebody publishes in it again soon. A beacon is all that browsers
   * promise to send then.
   */
  leave(id: string, token: string): void {
    const path = `/api/broadcasts/${encodeURIComponent(id)}/end?after_s=${BACK_WITHIN_S}`;
    navigator.sendBeacon(below(path), token);
  }

  async pushes(id: string, token: string) {
    return settle(
      this.client.GET("/api/broadcasts/{broadcast_id}/pushes", { ...at(id), headers: bearer(token) }),
    );
  }

  /** Send what viewers get to a WHIP server elsewhere. @param theirToken Its own token; empty for none. */
  async push(id: string, token: string, url: string, theirToken: string) {
    const request = { ...at(id), body: { url, token: theirToken || null }, headers: bearer(token) };
    return settle(this.client.POST("/api/broadcasts/{broadcast_id}/pushes", request));
  }

  async stopPush(id: string, token: string, push: string): Promise<void> {
    const params = { path: { broadcast_id: id, push_id: push } };
    const request = { params, headers: bearer(token) };
    await settle(this.client.DELETE("/api/broadcasts/{broadcast_id}/pushes/{push_id}", request));
  }

  /** The finished recordings, the newest first, for the operator. */
  async recordings() {
    return settle(this.client.GET("/api/recordings", { headers: bearer(this.operatorToken()) }));
  }

  /** The recording itself, for an operator whose code a link could not send. */
  async recording(url: string): Promise<Blob> {
    const answer = await fetch(below(url), { headers: bearer(this.operatorToken()) }).catch(
      (thrown: unknown) => {
        throw Problem.fromFetch(thrown);
      },
    );
    if (!answer.ok) throw await Problem.fromResponse(answer);
    return await answer.blob();
  }

  async personas() {
    return settle(this.client.GET("/api/personas"));
  }

  /** Hand in photos of one face together with the declaration that its owner agreed. */
  async addReference(photos: readonly File[], { declaredBy, language, use, name = "" }: Declaration) {
    return settle(
      this.client.POST("/api/references", {
        body: { photo: [], owner_agrees: true, declared_by: declaredBy, language, use, name },
        // OpenAPI cannot name a browser's File, so the photos join the form here.
        bodySerializer: ({ photo: _, ...fields }) => formOf(fields, photos),
        headers: bearer(this.operatorToken()),
      }),
    );
  }

  /** Take lent photos back, at once and everywhere. */
  async withdraw(id: string): Promise<void> {
    const params = { path: { persona_id: id } };
    await settle(this.client.DELETE("/api/references/{persona_id}", { params }));
  }
}

/** What is said of photos that are handed in. */
export interface Declaration {
  declaredBy: string;
  /** In which it was shown. */
  language: LanguageCode;
  use: "swap" | "show";
  /** What to call a person who is shown. */
  name?: string;
}

function at(id: string): { params: { path: { broadcast_id: string } } } {
  return { params: { path: { broadcast_id: id } } };
}

function bearer(token: string | null): Record<string, string> {
  return token === null ? {} : { Authorization: `Bearer ${token}` };
}

function formOf(fields: Record<string, string | boolean>, photos: readonly File[]): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, String(value));
  for (const photo of photos) form.append("photo", photo);
  return form;
}

async function settle<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await call.catch((thrown: unknown) => {
    throw Problem.fromFetch(thrown);
  });
  if (!response.ok) throw Problem.fromBody(error, response);
  return data as T; // undefined for a 204, whose T is undefined too
}
