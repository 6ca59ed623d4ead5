import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/{unit,infra,integration,exploration,chaos}/**/*.test.ts"],
    // Two test files work and a third waits, for a visibility timeout say. More would starve each other's engines.
    maxWorkers: 3,
    testTimeout: 20_000,
    hookTimeout: 30_000,
  },
});
