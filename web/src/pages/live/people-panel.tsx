import type { TFunction } from "i18next";
import { type KeyboardEvent, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import type { SeenPerson } from "../../api/client";
import type { LiveController } from "../../live/live-controller";
import type { People, Person } from "../../live/people";
import { Icon } from "../../ui/icon";
import { useStore } from "../../ui/use-store";
import "./people-panel.css";
import { PhotoChoice } from "./photo-choice";

/** Who stays as they are, what viewers see of each and why, and the form that registers one more. */
export function PeoplePanel({ live }: { live: LiveController }) {
  const { t } = useTranslation();
  const { people, isRegistering, gone } = useStore(live.people.state);
  const begin = useRef<HTMLButtonElement>(null);
  const wasRegistering = useRef(false);
  useEffect(() => {
    // The form that had the focus is gone; a keyboard goes on where it came from.
    if (wasRegistering.current && !isRegistering) begin.current?.focus();
    wasRegistering.current = isRegistering;
  }, [isRegistering]);
  return (
    <fieldset className="panel people">
      <legend>{t("people.heading")}</legend>
      <p className="quiet">{t("people.more")}</p>
      {gone.length > 0 && (
        <p className="problem" role="alert">
          {t("people.gone", { names: gone.join(", ") })}
        </p>
      )}
      {people.length > 0 && (
        <ul className="people-list" aria-label={t("people.heading")}>
          {people.map((person) => (
            <PersonRow key={person.id} person={person} live={live} />
          ))}
        </ul>
      )}
      {isRegistering ? (
        <Registration people={live.people} />
      ) : (
        <button
          type="button"
          ref={begin}
          className="button"
          name="register"
          onClick={() => live.people.begin()}
        >
          {t(people.length === 0 ? "people.register" : "people.another")}
        </button>
      )}
    </fieldset>
  );
}

function PersonRow({ person, live }: { person: Person; live: LiveController }) {
  const { t } = useTranslation();
  const seen = useStore(live.news, (news) => news?.owner_view?.people.find(({ id }) => id === person.id));
  return (
    <li data-state={seen?.state}>
      <strong>{person.name}</strong>
      <span className="people-state">{seen && sayState(t, seen)}</span>
      <button
        type="button"
        className="link"
        name="hide"
        aria-label={t("people.remove", { name: person.name })}
        title={t("people.remove", { name: person.name })}
        onClick={() => live.people.remove(person)}
      >
        <Icon name="close" />
      </button>
    </li>
  );
}

export function sayState(t: TFunction, { state, reason }: Pick<SeenPerson, "state" | "reason">): string {
  const what = t(`people.states.${state}`);
  if (reason === null) return what;
  const why = t(`people.reasons.${reason}`);
  return state === "not_seen" ? t("people.perhaps", { reason: why }) : `${what}: ${why}`;
}

function Registration({ people }: { people: People }) {
  const { t } = useTranslation();
  const { name } = useStore(people.state);
  const isUploading = useStore(people.photos.state, ({ upload }) => upload.kind === "uploading");
  const leave = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || isUploading) return;
    event.stopPropagation();
    people.cancel();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: Escape leaves the form from whichever of its fields has the focus
    <div className="registration" onKeyDown={leave}>
      <label className="field">
        <span>{t("people.name")}</span>
        <input
          type="text"
          name="person"
          autoComplete="off"
          maxLength={100}
          // biome-ignore lint/a11y/noAutofocus: the person has just asked for this field
          autoFocus
          value={name}
          onChange={({ target }) => people.call(target.value)}
        />
        <small>{t("people.nameHint")}</small>
      </label>
      <PhotoChoice
        loan={people.photos}
        words={(count) => t("people.use", { count })}
        lacks={name.trim() === ""}
        onHandIn={(language) => void people.register(language)}
      />
      <button
        type="button"
        className="link"
        name="cancel"
        disabled={isUploading}
        onClick={() => people.cancel()}
      >
        {t("people.cancel")}
      </button>
    </div>
  );
}
