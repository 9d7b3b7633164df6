import { act, fireEvent, waitFor } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Broadcast, OwnerView } from "../../api/client";
import { en } from "../../i18n/en";
import { ko } from "../../i18n/ko";
import type { LiveController } from "../../live/live-controller";
import { People } from "../../live/people";
import { Store } from "../../state/store";
import { rendered } from "../../ui/rendered.fake";
import { PeoplePanel } from "./people-panel";

const PHOTO = new File(["jpeg"], "ann.jpg", { type: "image/jpeg" });

function panel() {
  const addReference = vi.fn(async (photos: readonly File[]) => ({
    id: "person:1",
    name: "Ann",
    notes: [],
    use: "show" as const,
    photos: photos.map(() => ({ findings: [] })),
  }));
  const people = new People({
    api: { addReference, withdraw: async () => undefined },
    onChange: () => undefined,
    onProblem: () => undefined,
  });
  const news = new Store<Broadcast | null>(null);
  const page = rendered(<PeoplePanel live={{ people, news } as unknown as LiveController} />);
  const find = <T extends HTMLElement>(selector: string) => {
    const element = page.container.querySelector<T>(selector);
    if (element === null) throw new Error(`no ${selector}`);
    return element;
  };
  const fill = () => {
    fireEvent.click(find('button[name="register"]'));
    fireEvent.change(find('input[type="file"]'), { target: { files: [PHOTO] } });
    fireEvent.click(find('input[name="agreed"]'));
    fireEvent.change(find('input[name="declared-by"]'), { target: { value: "Kim" } });
  };
  const register = async () => {
    fill();
    fireEvent.change(find('input[name="person"]'), { target: { value: "Ann" } });
    fireEvent.click(find('button[name="upload"]'));
    await waitFor(() => expect(people.state.get().people).toHaveLength(1));
  };
  const see = (person: Partial<OwnerView["people"][number]>) => {
    const seen = { id: "person:1", name: "Ann", state: "shown", reason: null, face: 1, ...person };
    act(() => news.set({ owner_view: { people: [seen], faces: [], primary: null } } as unknown as Broadcast));
    return find(".people-state").textContent;
  };
  return { ...page, people, find, fill, register, see };
}

describe("PeoplePanel", () => {
  beforeEach(() => {
    vi.spyOn(URL, "createObjectURL").mockReturnValue("blob:1");
  });

  it("registers nobody without a name", () => {
    const { find, fill } = panel();
    fill();
    expect(find<HTMLButtonElement>('button[name="upload"]').disabled).toBe(true);
    fireEvent.change(find('input[name="person"]'), { target: { value: "Ann" } });
    expect(find<HTMLButtonElement>('button[name="upload"]').disabled).toBe(false);
  });

  it("says of each person what viewers see, and why, in the page's language", async () => {
    const { register, see, speak } = panel();
    await register();
    expect(see({})).toBe("Shown");
    expect(see({ state: "hidden", reason: "turned" })).toBe("Hidden: turned away");
    expect(see({ state: "not_seen", face: null })).toBe("Not in the picture");
    expect(see({ state: "not_seen", reason: "too_small" })).toBe(
      "Not seen: a face is there, too small; come nearer",
    );
    await speak("ko");
    expect(see({ state: "hidden", reason: "dark" })).toBe(
      `${ko.people.states.hidden}: ${ko.people.reasons.dark}`,
    );
  });

  it("goes back to its button when somebody is registered, and on Escape", async () => {
    const { register, fill, find } = panel();
    await register();
    await waitFor(() => expect(document.activeElement).toBe(find('button[name="register"]')));
    fill();
    expect(find('button[name="cancel"]')).not.toBeNull();
    fireEvent.keyDown(find('input[name="person"]'), { key: "Escape" });
    await waitFor(() => expect(document.activeElement).toBe(find('button[name="register"]')));
  });

  it("takes somebody off the list, and says when the server has forgotten all", async () => {
    const { register, find, people, container } = panel();
    await register();
    act(() => void people.forget(["person:1"]));
    expect(find('[role="alert"]').textContent).toBe(en.people.gone.replace("{{names}}", "Ann"));
    await register();
    expect(container.querySelector('[role="alert"]')).toBeNull();
    fireEvent.click(find('button[name="hide"]'));
    expect(container.querySelector(".people-list")).toBeNull();
  });
});
