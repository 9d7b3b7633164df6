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
export type Finding = Reference["photos"][number]["findings"][number];

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

  async broadcast(id: string) {
    return settle(this.client.GET("/api/broadcasts/{broadcast_id}", at(id)));
  }

  async create(policy: Policy, title: string) {
    const body = { policy, title: title || null };
    return settle(this.client.POST("/api/broadcasts", { body, headers: bearer(this.operatorToken()) }));
  }

  async change(id: string, token: string, policy: Policy) {
    const request = { ...at(id), body: { policy }, headers: bearer(token) };
    return settle(this.client.PATCH("/api/broadcasts/{broadcast_id}", request));
  }

  /** Begin or end the recording of what viewers get. */
  async record(id: string, token: string, on: boolean) {
    const request = { ...at(id), body: { record: on }, headers: bearer(token) };
    return settle(this.client.PATCH("/api/broadcasts/{broadcast_id}", request));
  }

  async end(id: string, token: string): Promise<void> {
    await settle(this.client.DELETE("/api/broadcasts/{broadcast_id}", { ...at(id), headers: bearer(token) }));
  }

  /** End a broadcast from a page that is being closed: a beacon is all that browsers promise to send then. */
  leave(id: string, token: string): void {
    navigator.sendBeacon(below(`/api/broadcasts/${encodeURIComponent(id)}/end`), token);
  }

  async personas() {
    return settle(this.client.GET("/api/personas"));
  }

  /** Hand in photos of one face together with the declaration that its owner agreed. */
  async addReference(photos: readonly File[], declaredBy: string, language: LanguageCode) {
    return settle(
      this.client.POST("/api/references", {
        body: { photo: [], owner_agrees: true, declared_by: declaredBy, language },
        // OpenAPI cannot name a browser's File, so the photos join the form here.
        bodySerializer: ({ photo: _, ...fields }) => formOf(fields, photos),
        headers: bearer(this.operatorToken()),
      }),
    );
  }
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
