import { defineConfig } from "vitest/config";

// Where `mien serve` runs while the pages are being developed with `npm run dev`.
const SERVER = "http://127.0.0.1:8000";

export default defineConfig({
  appType: "mpa",
  // Relative, so that the pages work below any path prefix; the server makes them right for deeper pages.
  base: "./",
  build: {
    outDir: "../src/mien/server/web",
    emptyOutDir: true,
    // Inlined data URLs would need a wider Content-Security-Policy than 'self'.
    assetsInlineLimit: 0,
    license: { fileName: "licences.md" }, // the texts that the licences of what is bundled ask for
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: ["index.html", "live.html", "watch.html", "not-found.html"],
      // Libraries mark what is no server's component; to a bundle for browsers it means nothing.
      onLog: (level, log, say) => log.code !== "MODULE_LEVEL_DIRECTIVE" && say(level, log),
    },
  },
  server: {
    proxy: Object.fromEntries(["/api", "/whip", "/whep"].map((path) => [path, { target: SERVER, ws: true }])),
  },
  test: { environment: "happy-dom", include: ["src/**/*.test.{ts,tsx}"] },
});
