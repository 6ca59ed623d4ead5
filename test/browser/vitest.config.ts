import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** `npm run test:browser`: needs Chromium. Without it, its tests are skipped. */
export default defineConfig({
  test: {
    root: fileURLToPath(new URL("../..", import.meta.url)),
    include: ["test/browser/**/*.test.ts"],
    // A time limit ends a test that hangs. It is no measure of speed.
    testTimeout: 900_000,
    hookTimeout: 900_000,
  },
});
