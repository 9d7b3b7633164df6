import * as Dialog from "@radix-ui/react-dialog";
import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import type { CreatedBroadcast } from "../../api/client";
import { linksOf } from "../../live/addresses";
import "../../ui/dialog.css";
import { Icon } from "../../ui/icon";
import { useCopy } from "../../ui/use-copy";
import "./share.css";

// Few look at it, and the encoder of QR codes is as large as all that is around it.
const QrCode = lazy(async () => ({ default: (await import("../../ui/qr-code")).QrCode }));

/** The link for viewers, and the ways to hand it on. */
export function Share({ broadcast }: { broadcast: CreatedBroadcast }) {
  const { t } = useTranslation();
  const { link, isOnlyHere, others } = linksOf(broadcast);
  const [copied, copy] = useCopy();
  const best = isOnlyHere ? others[0] : link;
  return (
    <div className="share panel">
      <strong>{t("share.heading")}</strong>
      <div className="share-row">
        <input
          type="text"
          name="link"
          readOnly
          value={link}
          aria-label={t("share.heading")}
          onFocus={({ target }) => target.select()}
        />
        {window.isSecureContext && (
          <button type="button" className="button" name="copy" onClick={() => copy(link)}>
            <Icon name="copy" />
            {t(copied === link ? "share.copied" : "share.copy")}
          </button>
        )}
      </div>
      {isOnlyHere && <OnlyHere others={others} copied={copied} copy={copy} />}
      {best !== undefined && (
        <div className="share-row">
          {"share" in navigator && (
            <button
              type="button"
              className="button"
              name="send"
              onClick={() => void navigator.share({ url: best }).catch(() => undefined)}
            >
              <Icon name="share" />
              {t("share.send")}
            </button>
          )}
          <QrDialog link={best} />
        </div>
      )}
    </div>
  );
}

interface OnlyHereProps {
  others: readonly string[];
  copied: string | null;
  copy: (text: string) => void;
}

/** Says that nobody else can open the link, and which ones they can. */
function OnlyHere({ others, copied, copy }: OnlyHereProps) {
  const { t } = useTranslation();
  return (
    <div className="only-here" role="note">
      <p>
        <Icon name="alert" />
        <span>
          {t("share.onlyHere")} {others.length === 0 && t("share.noOthers")}
        </span>
      </p>
      {others.length > 0 && (
        <>
          <p>{t("share.others")}</p>
          <ul>
            {others.map((link) => (
              <li key={link} className="share-row">
                <a className="grow" href={link} target="_blank" rel="noreferrer">
                  {link}
                </a>
                <button
                  type="button"
                  className="button"
                  aria-label={t("share.copyOf", { link })}
                  onClick={() => copy(link)}
                >
                  <Icon name="copy" />
                  {t(copied === link ? "share.copied" : "share.copy")}
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}

function QrDialog({ link }: { link: string }) {
  const { t } = useTranslation();
  return (
    <Dialog.Root>
      <Dialog.Trigger asChild>
        <button type="button" className="button" name="qr">
          <Icon name="qr" />
          {t("share.qr")}
        </button>
      </Dialog.Trigger>
      <Dialog.Portal>
        <Dialog.Overlay className="dialog-ground" />
        <Dialog.Content className="dialog">
          <Dialog.Title>{t("share.qrHeading")}</Dialog.Title>
          <Dialog.Description>{t("share.qrMore")}</Dialog.Description>
          <Suspense fallback={<div className="qr" />}>
            <QrCode text={link} label={`${t("share.qr")}: ${link}`} />
          </Suspense>
          <p className="qr-link">{link}</p>
          <div className="dialog-choices">
            <Dialog.Close asChild>
              <button type="button" className="button primary">
                {t("close")}
              </button>
            </Dialog.Close>
          </div>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
