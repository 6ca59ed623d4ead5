import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** `npm run test:deploy`: needs Python 3, and takes minutes, because a schedule fires each minute. */
export default defineConfig({
  test: {
    root: fileURLToPath(new URL("../..", import.meta.url)),
    include: ["test/deploy/**/*.test.ts"],
    globalSetup: ["test/deploy/start-ministack.ts"],
    // They share one ministack, which runs the functions' processes too.
    fileParallelism: false,
    // A time limit ends a test that hangs. It is no measure of speed.
    testTimeout: 900_000,
    hookTimeout: 900_000,
  },
});
