import { defineConfig } from "vitest/config";

/** These replace a module, which other files in the same process would then get too. */
const REPLACE_A_MODULE = [
  "test/unit/cli/runs/restored-delivery.test.ts",
  "test/unit/consumer/suspects.test.ts",
  "test/unit/functions/function-services.test.ts",
];

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
        test: { name: "unit", include: ["test/unit/**/*.test.ts"], exclude: REPLACE_A_MODULE, isolate: false },
      },
      {
        extends: true,
        test: {
          name: "isolated",
          include: ["test/{infra,integration,exploration,chaos}/**/*.test.ts", ...REPLACE_A_MODULE],
        },
      },
    ],
  },
});
