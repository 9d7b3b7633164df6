import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Api } from "../api/client";
import { hiding, swapping } from "../api/policy";
import { Problem } from "../api/problem";
import { People } from "./people";

const PHOTO = new File(["jpeg"], "ann.jpg", { type: "image/jpeg" });
const ANN = { id: "person:1", name: "Ann" };

function registering(
  addReference: Api["addReference"] = async (photos, { name = "" }) => ({
    id: `person:${name === "Ann" ? 1 : 2}`,
    name,
    notes: [],
    use: "show",
    photos: photos.map(() => ({ findings: [] })),
  }),
) {
  const [onChange, onProblem, added] = [vi.fn(), vi.fn(), vi.fn(addReference)];
  const withdraw = vi.fn(async () => undefined);
  const people = new People({ api: { addReference: added, withdraw }, onChange, onProblem });
  const register = async (name: string) => {
    people.begin();
    people.call(` ${name} `);
    people.photos.take([PHOTO]);
    people.photos.declare({ agreed: true, declaredBy: "Kim" });
    await people.register("en");
  };
  return { people, added, withdraw, onChange, onProblem, register };
}

describe("People", () => {
  beforeEach(() => {
    vi.spyOn(URL, "createObjectURL").mockReturnValue("blob:1");
  });

  it("shows whom the server knows, before all that a policy does with others", async () => {
    const { people, added, onChange, register } = registering();
    expect(people.shownIn(hiding())).toEqual(hiding());
    await register("Ann");
    expect(added).toHaveBeenCalledWith([PHOTO], {
      declaredBy: "Kim",
      language: "en",
      use: "show",
      name: "Ann",
    });
    await register("Bob");
    expect(onChange).toHaveBeenCalledTimes(2);
    const policy = swapping("mask:volto", "primary");
    expect(people.shownIn(policy)).toEqual({
      version: 1,
      rules: [
        { subject: { kind: "person", id: "person:1" }, treatment: { kind: "show" } },
        { subject: { kind: "person", id: "person:2" }, treatment: { kind: "show" } },
        ...(policy.rules ?? []),
      ],
    });
  });

  it("asks for the name and the photos anew for everybody, and not for who declares it", async () => {
    const { people, register } = registering();
    await register("Ann");
    expect(people.state.get()).toMatchObject({ people: [ANN], isRegistering: false });
    people.begin();
    expect(people.state.get()).toMatchObject({ isRegistering: true, name: "" });
    expect(people.photos.state.get()).toMatchObject({ photos: [], agreed: false, declaredBy: "Kim" });
  });

  it("shows nobody whose photos the server refuses, and keeps the form as it is", async () => {
    const refused = new Problem("photo.no_face", 422);
    const { people, onChange, onProblem, register } = registering(() => Promise.reject(refused));
    await register("Ann");
    expect(people.state.get()).toMatchObject({ people: [], isRegistering: true, name: " Ann " });
    expect(people.photos.state.get().upload).toEqual({ kind: "refused", problem: refused });
    expect(onProblem).toHaveBeenCalledWith(refused);
    expect(onChange).not.toHaveBeenCalled();
  });

  it("hides who is removed, and has the server forget their photos", async () => {
    const { people, withdraw, onChange, register } = registering();
    await register("Ann");
    withdraw.mockRejectedValueOnce(new Problem("network", 0));
    people.remove(ANN);
    expect(people.shownIn(hiding())).toEqual(hiding());
    expect(withdraw).toHaveBeenCalledWith("person:1");
    expect(onChange).toHaveBeenCalledTimes(2);
  });

  it("forgets whom the server does not know any more, names them, and keeps the others", async () => {
    const { people, onChange, register } = registering();
    await register("Ann");
    await register("Bob");
    expect(people.forget(["person:9"])).toBe(false);
    expect(people.forget(["person:1"])).toBe(true);
    expect(people.state.get()).toMatchObject({ people: [{ id: "person:2", name: "Bob" }], gone: ["Ann"] });
    expect(onChange).toHaveBeenCalledTimes(3);
    await register("Ann");
    expect(people.state.get().gone).toEqual([]);
  });

  it("is brought back with who was registered", async () => {
    const { people, register } = registering();
    await register("Ann");
    const again = registering().people;
    again.restore(JSON.parse(JSON.stringify(people.kept)));
    expect(again.shownIn(hiding())).toEqual(people.shownIn(hiding()));
  });
});
