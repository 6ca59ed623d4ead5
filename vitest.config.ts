import { defineConfig } from "vitest/config";
import { PATIENTLY } from "./test/helpers/patience.ts";
import { QUICK, TEST_ENVIRONMENT } from "./test/suites.ts";

/** These replace a module. Other files in the same process would get the replacement too. */
const REPLACE_A_MODULE = [
  "test/unit/cli/runs/restored-delivery.test.ts",
  "test/unit/functions/consumer-deadline.test.ts",
  "test/unit/functions/function-services.test.ts",
];

const isInfra = (file: string) => file.startsWith("test/infra/");

/** `npm test`. `vitest.gate.config.ts` has the rest. */
export default defineConfig({
  test: {
    // More workers would load the same modules more often.
    maxWorkers: 2,
    // A time limit ends a test that hangs. It is no measure of speed: a busy machine may need ten times as long.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: PATIENTLY },
    env: TEST_ENVIRONMENT,
    reporters: ["default", "./test/helpers/gate-reporter.ts"],
    projects: [
      {
        extends: true,
        // Files that leave nothing behind share their modules. Loading every module anew would double their time.
        test: { name: "unit", include: ["test/unit/**/*.test.ts"], exclude: REPLACE_A_MODULE, isolate: false },
      },
      // The files share one copy of the CDK, which takes seconds to load.
      { extends: true, test: { name: "infra", include: QUICK.filter(isInfra), isolate: false } },
      {
        extends: true,
        test: { name: "isolated", include: [...QUICK.filter((file) => !isInfra(file)), ...REPLACE_A_MODULE] },
      },
    ],
  },
});
