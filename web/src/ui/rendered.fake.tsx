import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, cleanup, type RenderResult, render } from "@testing-library/react";
import type { ReactElement } from "react";
import { I18nextProvider } from "react-i18next";
import { afterEach, vi } from "vitest";
import { startI18n } from "../i18n/i18n";
import type { LanguageCode } from "../i18n/language";

vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
afterEach(cleanup);

/** Show an element as a page would, in English; `speak` changes the language. */
export function rendered(
  element: ReactElement,
): RenderResult & { speak: (code: LanguageCode) => Promise<void> } {
  const i18n = startI18n("en");
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const result = render(
    <I18nextProvider i18n={i18n}>
      <QueryClientProvider client={queries}>{element}</QueryClientProvider>
    </I18nextProvider>,
  );
  const speak = async (code: LanguageCode) => {
    await act(async () => {
      await i18n.changeLanguage(code);
    });
  };
  return { ...result, speak };
}
