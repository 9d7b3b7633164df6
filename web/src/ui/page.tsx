import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { type ReactNode, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { I18nextProvider } from "react-i18next";
import { Problem } from "../api/problem";
import { startI18n } from "../i18n/i18n";
import "../styles/tokens.css";
import "../styles/base.css";
import "../styles/controls.css";
import { Frame } from "./frame";

const MOST_TRIES = 2;

/** Show a page in the document, with what stands around every page and what all of them speak through. */
export function showPage(page: ReactNode): void {
  const root = document.createElement("div");
  root.className = "page";
  document.body.append(root);
  const queries = new QueryClient({
    defaultOptions: {
      queries: {
        retry: (failures, error) => failures < MOST_TRIES && Problem.from(error).retryable,
        networkMode: "always", // a server on this machine is there without a network too
      },
    },
  });
  createRoot(root).render(
    <StrictMode>
      <I18nextProvider i18n={startI18n()}>
        <QueryClientProvider client={queries}>
          <Frame>{page}</Frame>
        </QueryClientProvider>
      </I18nextProvider>
    </StrictMode>,
  );
}
