import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/{unit,infra,integration,exploration,chaos}/**/*.test.ts"],
    // Engines fork processes of their own: as many test files at once as there are cores would starve them.
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 30_000,
  },
});
