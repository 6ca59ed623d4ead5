import { defineConfig } from "vitest/config";

/** It replaces a module, which other files would then get too. */
const REPLACES_A_MODULE = "test/unit/consumer/suspects.test.ts";

export default defineConfig({
  test: {
    // Two test files work and a third waits, for a visibility timeout say. More would starve each other's engines.
    maxWorkers: 3,
    testTimeout: 20_000,
    hookTimeout: 30_000,
    projects: [
      {
        extends: true,
        // Files that leave nothing behind need not load every module anew, which is half of their time.
        test: { name: "unit", include: ["test/unit/**/*.test.ts"], exclude: [REPLACES_A_MODULE], isolate: false },
      },
      {
        extends: true,
        test: {
          name: "isolated",
          include: ["test/{infra,integration,exploration,chaos}/**/*.test.ts", REPLACES_A_MODULE],
        },
      },
    ],
  },
});
