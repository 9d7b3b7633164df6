import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Api, CreatedBroadcast, Push } from "../../api/client";
import { Problem } from "../../api/problem";
import { en } from "../../i18n/en";
import { Icon } from "../../ui/icon";
import { sayProblem } from "../../ui/say";
import "./pushes.css";

const LOOK_EVERY_MS = 2_000;

type PushApi = Pick<Api, "pushes" | "push" | "stopPush">;
type Broadcast = Pick<CreatedBroadcast, "id" | "token">;

/** The servers elsewhere that the broadcast is sent to, and a way to add one. */
export function Pushes({ api, broadcast }: { api: PushApi; broadcast: Broadcast }) {
  const { t } = useTranslation();
  const [isOpen, setOpen] = useState(false);
  return (
    <details className="pushes panel" onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>{t("pushes.heading")}</summary>
      {isOpen && (
        <>
          <p className="quiet">{t("pushes.more")}</p>
          <PushList api={api} broadcast={broadcast} />
          <NewPush api={api} broadcast={broadcast} />
        </>
      )}
    </details>
  );
}

const keyOf = (broadcast: Broadcast) => ["pushes", broadcast.id];

function PushList({ api, broadcast }: { api: PushApi; broadcast: Broadcast }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const { data = [] } = useQuery({
    queryKey: keyOf(broadcast),
    queryFn: () => api.pushes(broadcast.id, broadcast.token),
    refetchInterval: LOOK_EVERY_MS,
  });
  const stop = useMutation({
    mutationFn: (push: Push) => api.stopPush(broadcast.id, broadcast.token, push.id),
    onSettled: () => queries.invalidateQueries({ queryKey: keyOf(broadcast) }),
  });
  if (data.length === 0) return null;
  return (
    <ul className="push-list">
      {data.map((push) => (
        <li key={push.id} className="share-row" data-state={push.state}>
          <span className="grow">
            <strong>{push.host}</strong> <PushState push={push} />
          </span>
          <button
            type="button"
            className="button"
            aria-label={t("pushes.stop", { host: push.host })}
            onClick={() => stop.mutate(push)}
          >
            <Icon name="close" />
          </button>
        </li>
      ))}
    </ul>
  );
}

function PushState({ push: { state, trouble } }: { push: Push }) {
  const { t } = useTranslation();
  return (
    <small role="status">
      {isKnown(state) ? t(`pushes.states.${state}`) : state}
      {trouble !== null && <span lang="en">: {trouble}</span>}
    </small>
  );
}

function isKnown(state: string): state is keyof typeof en.pushes.states {
  return Object.hasOwn(en.pushes.states, state);
}

function NewPush({ api, broadcast }: { api: PushApi; broadcast: Broadcast }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [url, setUrl] = useState("");
  const [token, setToken] = useState("");
  const start = useMutation({
    mutationFn: () => api.push(broadcast.id, broadcast.token, url.trim(), token.trim()),
    onSuccess: () => {
      setUrl("");
      setToken("");
      return queries.invalidateQueries({ queryKey: keyOf(broadcast) });
    },
  });
  return (
    <form
      className="new-push"
      onSubmit={(event) => {
        event.preventDefault();
        start.mutate();
      }}
    >
      <label className="field">
        <span>{t("pushes.url")}</span>
        <input
          type="url"
          name="push-url"
          required
          maxLength={2048}
          autoComplete="off"
          placeholder="https://"
          value={url}
          onChange={({ target }) => setUrl(target.value)}
        />
      </label>
      <label className="field">
        <span>{t("pushes.token")}</span>
        <input
          type="password"
          name="push-token"
          maxLength={4096}
          autoComplete="off"
          value={token}
          onChange={({ target }) => setToken(target.value)}
        />
      </label>
      {start.error && (
        <p className="problem" role="alert">
          {sayProblem(t, Problem.from(start.error))}
        </p>
      )}
      <button type="submit" className="button" name="push" disabled={start.isPending}>
        {t("pushes.start")}
      </button>
    </form>
  );
}
