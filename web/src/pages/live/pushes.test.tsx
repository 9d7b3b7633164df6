import { act, fireEvent, screen, waitFor } from "@testing-library/react";
import { describe, expect, it, vi } from "vitest";
import type { Push } from "../../api/client";
import { Problem } from "../../api/problem";
import { en } from "../../i18n/en";
import { rendered } from "../../ui/rendered.fake";
import { Pushes } from "./pushes";

const PUSH: Push = {
  id: "p",
  host: "elsewhere.example",
  state: "live",
  packets: 0,
  octets: 0,
  resent: 0,
  trouble: null,
};

function pushing(...lists: Push[][]) {
  const api = {
    pushes: vi.fn(async () => lists.shift() ?? []),
    push: vi.fn(async () => PUSH),
    stopPush: vi.fn(async () => undefined),
  };
  const page = rendered(<Pushes api={api} broadcast={{ id: "b", token: "t" }} />);
  const details = page.container.querySelector("details") as HTMLDetailsElement;
  act(() => {
    details.open = true;
    fireEvent(details, new Event("toggle"));
  });
  const send = (url: string, token: string) => {
    fireEvent.change(screen.getByLabelText(en.pushes.url), { target: { value: url } });
    fireEvent.change(screen.getByLabelText(en.pushes.token), { target: { value: token } });
    fireEvent.submit(screen.getByLabelText(en.pushes.url).closest("form") as HTMLFormElement);
  };
  return { ...page, api, send };
}

describe("Pushes", () => {
  it("asks for nothing before somebody looks", () => {
    const api = { pushes: vi.fn(), push: vi.fn(), stopPush: vi.fn() };
    rendered(<Pushes api={api} broadcast={{ id: "b", token: "t" }} />);
    expect(api.pushes).not.toHaveBeenCalled();
  });

  it("says of each where it goes and how it fares, and stops the one that is pressed", async () => {
    const broken = { ...PUSH, id: "q", host: "other.example", state: "retrying", trouble: "timed out" };
    const { api, container } = pushing([PUSH, broken], [broken]);
    await waitFor(() => expect(container.querySelectorAll(".push-list li")).toHaveLength(2));
    expect(container.textContent).toContain(`${PUSH.host} ${en.pushes.states.live}`);
    expect(container.textContent).toContain(`${en.pushes.states.retrying}: timed out`);
    fireEvent.click(screen.getByRole("button", { name: "Stop sending to elsewhere.example" }));
    await waitFor(() => expect(container.querySelectorAll(".push-list li")).toHaveLength(1));
    expect(api.stopPush).toHaveBeenCalledWith("b", "t", "p");
  });

  it("starts one with the other server's token, forgets both, and shows it", async () => {
    const { api, send, container } = pushing([], [PUSH]);
    send(" https://elsewhere.example/whip ", "secret");
    await waitFor(() => expect(container.querySelectorAll(".push-list li")).toHaveLength(1));
    expect(api.push).toHaveBeenCalledWith("b", "t", "https://elsewhere.example/whip", "secret");
    expect((screen.getByLabelText(en.pushes.url) as HTMLInputElement).value).toBe("");
    expect((screen.getByLabelText(en.pushes.token) as HTMLInputElement).value).toBe("");
  });

  it("says why a server may not be sent to, and keeps what was written", async () => {
    const { api, send } = pushing([]);
    api.push.mockRejectedValueOnce(new Problem("input.target", 422));
    send("ftp://elsewhere.example", "");
    await waitFor(() => expect(screen.getByRole("alert").textContent).toBe(en.problems["input.target"]));
    expect((screen.getByLabelText(en.pushes.url) as HTMLInputElement).value).toBe("ftp://elsewhere.example");
  });
});
