import { defineConfig } from "vitest/config";
import { GATE_FILES, QUICK } from "./test/suites.ts";

const INFRA = "test/infra/**/*.test.ts";

/** What `npm run gate` adds to `npm test`, without the browser and the deployment. */
export default defineConfig({
  test: {
    // Two test files work and a third waits, for a visibility timeout for example. More would starve each other's engines.
    maxWorkers: 3,
    // A time limit ends a test that hangs. It is no measure of speed.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    projects: [
      // The files share one copy of the CDK.
      { extends: true, test: { name: "infra", include: [INFRA], exclude: QUICK, isolate: false } },
      { extends: true, test: { name: "gate", include: GATE_FILES, exclude: [...QUICK, INFRA] } },
    ],
  },
});
