import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Peer } from "./peer";
import { FakePeerConnection } from "./peer.fake";

/** A peer whose server says yes to everything, and that counts its losses. */
function peer() {
  const connection = new FakePeerConnection();
  const deleted = vi.fn();
  const onLost = vi.fn();
  const subject = new Peer(
    {
      token: null,
      fetchThrough: async (_url, { method }) => {
        if (method === "DELETE") deleted();
        return new Response("v=0", { status: 201, headers: { Location: "/whep/b/s" } });
      },
    },
    onLost,
    () => connection.real,
  );
  return { connection, subject, onLost, deleted };
}

async function connected() {
  const made = peer();
  const connecting = made.subject.connect("/whep/b");
  await vi.advanceTimersByTimeAsync(0);
  made.connection.become("connected");
  await connecting;
  return made;
}

describe("Peer", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is connected when media can flow, not when the answer came", async () => {
    const { connection, subject } = peer();
    const done = vi.fn();
    void subject.connect("/whep/b").then(done);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(done).not.toHaveBeenCalled();
    connection.become("connected");
    await vi.advanceTimersByTimeAsync(0);
    expect(done).toHaveBeenCalledOnce();
  });

  it("gives up where no path is found, and leaves no session on the server", async () => {
    const { subject, deleted } = peer();
    const outcome = expect(subject.connect("/whep/b")).rejects.toMatchObject({
      code: "connection",
      retryable: true,
    });
    await vi.advanceTimersByTimeAsync(13_000);
    await outcome;
    expect(deleted).toHaveBeenCalledOnce();
  });

  it("sits out a short disconnection", async () => {
    const { connection, onLost } = await connected();
    connection.become("disconnected");
    await vi.advanceTimersByTimeAsync(2_000);
    connection.become("connected");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(onLost).not.toHaveBeenCalled();
  });

  it("is lost after a long one", async () => {
    const { connection, onLost, deleted } = await connected();
    connection.become("disconnected");
    await vi.advanceTimersByTimeAsync(2_600);
    expect(onLost).toHaveBeenCalledOnce();
    expect(deleted).toHaveBeenCalledOnce();
  });

  it("does not sit it out when the network is another one now", async () => {
    const { connection, onLost } = await connected();
    window.dispatchEvent(new Event("online"));
    expect(onLost).not.toHaveBeenCalled(); // what still flows is left alone
    connection.become("disconnected");
    window.dispatchEvent(new Event("online"));
    expect(onLost).toHaveBeenCalledOnce();
  });

  it("is lost when no byte comes any more, long before ICE would notice", async () => {
    const { connection, onLost } = await connected();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(onLost).not.toHaveBeenCalled();
    connection.hears = false;
    await vi.advanceTimersByTimeAsync(3_000);
    expect(onLost).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(onLost).toHaveBeenCalledOnce();
  });

  it("is lost at once when ICE has failed, and only once", async () => {
    const { connection, onLost } = await connected();
    connection.become("failed");
    connection.become("closed");
    expect(onLost).toHaveBeenCalledOnce();
  });

  it("is lost at once when the server hangs up, which only DTLS tells", async () => {
    const { connection, onLost } = await connected();
    connection.hangUp();
    expect(connection.connectionState).toBe("closed");
    expect(onLost).toHaveBeenCalledOnce();
  });

  it("is not lost but closed when it was closed on purpose", async () => {
    const { connection, subject, onLost } = await connected();
    await subject.close();
    connection.become("closed");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(onLost).not.toHaveBeenCalled();
  });

  it("stops connecting when it is closed meanwhile", async () => {
    const { subject } = peer();
    const outcome = expect(subject.connect("/whep/b")).rejects.toMatchObject({ name: "Problem" });
    await vi.advanceTimersByTimeAsync(0);
    await subject.close();
    await outcome;
  });
});
