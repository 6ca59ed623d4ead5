import { relative, resolve } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { TEST_ENVIRONMENT } from "../../test/suites.ts";
import { readPlan } from "./plan.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const plan = readPlan();

class ShortTestsFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const position = ({ moduleId }: TestSpecification) => plan.order.indexOf(relative(ROOT, moduleId));
    return files.toSorted((a, b) => position(a) - position(b));
  }
}

/** Runs the tests of an area once per mutant, in one process whose modules stay loaded. `main.ts` starts it. */
export default defineConfig({
  plugins: [
    {
      name: "mutants",
      enforce: "pre",
      load: (id: string) => plan.code[id.split("?")[0] ?? id],
    },
  ],
  test: {
    root: ROOT,
    include: [...plan.tests],
    env: TEST_ENVIRONMENT,
    pool: "forks",
    maxWorkers: 1,
    maxConcurrency: 1,
    isolate: false,
    experimental: { fsModuleCache: true, fsModuleCachePath: String(process.env.MUTATION_CACHE) },
    sequence: { sequencer: ShortTestsFirst },
    // The runner has limits of its own for tests.
    testTimeout: 300_000,
    hookTimeout: 60_000,
    teardownTimeout: 5_000,
    dangerouslyIgnoreUnhandledErrors: true,
    onConsoleLog: () => false,
    reporters: [{}],
    runner: resolve(import.meta.dirname, plan.hits === undefined ? "coverage-runner.ts" : "mutation-runner.ts"),
  },
});
