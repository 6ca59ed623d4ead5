import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { PATIENTLY } from "./test/helpers/patience.ts";
import { GATE_FILES, QUICK, TEST_ENVIRONMENT } from "./test/suites.ts";

const INFRA = "test/infra/**/*.test.ts";

/** What `npm run gate` adds to `npm test`, without the browser and the deployment. */
export default defineConfig({
  test: {
    // Two test files work and a third waits, for a visibility timeout for example. More would starve each other's engines.
    maxWorkers: 3,
    // A time limit ends a test that hangs. It is no measure of speed.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    expect: { poll: PATIENTLY },
    // All processes that the tests start load the same modules. The command-line program uses this cache too.
    env: { ...TEST_ENVIRONMENT, NODE_COMPILE_CACHE: join(tmpdir(), "node-compile-cache") },
    projects: [
      // The files share one copy of the CDK.
      { extends: true, test: { name: "infra", include: [INFRA], exclude: QUICK, isolate: false } },
      // Loading the engine and the AWS SDK takes a second of CPU time, so these files share their modules.
      {
        extends: true,
        test: {
          name: "gate",
          globalSetup: ["test/helpers/share-worlds.ts"],
          include: GATE_FILES,
          exclude: [...QUICK, INFRA],
          isolate: false,
        },
      },
    ],
  },
});
