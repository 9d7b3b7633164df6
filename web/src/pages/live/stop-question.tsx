import * as Dialog from "@radix-ui/react-dialog";
import { useRef } from "react";
import { useTranslation } from "react-i18next";
import type { LiveController } from "../../live/live-controller";
import { useStore } from "../../ui/use-store";
import "../../ui/dialog.css";

interface StopQuestionProps {
  live: LiveController;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

/**
 * Asks once more before a broadcast ends for good, and says what viewers will see.
 *
 * The first focus is on staying, so that a key that repeats, or a second click, ends nothing. Escape stays on air.
 */
export function StopQuestion({ live, open, onOpenChange }: StopQuestionProps) {
  const { t } = useTranslation();
  const watching = useStore(live.news, (news) => news?.viewers ?? 0);
  const stay = useRef<HTMLButtonElement>(null);
  return (
    <Dialog.Root open={open} onOpenChange={onOpenChange}>
      <Dialog.Portal>
        <Dialog.Overlay className="dialog-ground" />
        <Dialog.Content
          className="dialog"
          aria-describedby="stop-more"
          onOpenAutoFocus={(event) => {
            event.preventDefault();
            stay.current?.focus();
          }}
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            document.querySelector<HTMLButtonElement>("button[name=go]")?.focus();
          }}
        >
          <Dialog.Title>{t("stopAsk.heading")}</Dialog.Title>
          <p id="stop-more">
            {t("stopAsk.more")} {watching > 0 && t("stopAsk.watching", { count: watching })}
          </p>
          <div className="dialog-choices">
            <Dialog.Close asChild>
              <button ref={stay} type="button" name="stay" className="button primary">
                {t("stopAsk.stay")}
              </button>
            </Dialog.Close>
            <button
              type="button"
              name="end"
              className="button stop"
              onClick={() => {
                onOpenChange(false);
                live.stop();
              }}
            >
              {t("stopAsk.end")}
            </button>
          </div>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
