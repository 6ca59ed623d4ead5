import { type RunnerTestCase as Test, TestRunner } from "vitest";
import { mutantsGlobal } from "./mutants-global.ts";
import { note, readPlan } from "./plan.ts";
import { testName } from "./test-name.ts";

const { journal } = readPlan();

/** Runs each test once, without a mutant, and notes the code of which mutants it runs. */
export default class CoverageRunner extends TestRunner {
  override async onBeforeRunTask(test: Test): Promise<void> {
    await super.onBeforeRunTask(test);
    mutantsGlobal.currentTestId = testName(test);
  }

  override onAfterRunTask(test: Test): void {
    super.onAfterRunTask(test);
    mutantsGlobal.currentTestId = undefined;
    const name = testName(test);
    if (test.result?.state === "fail") {
      note(journal, { tag: "failed without a mutant", test: name, error: String(test.result.errors?.[0]?.message) });
    }
    const milliseconds = test.result?.duration ?? 0;
    note(journal, { tag: "hits", test: name, milliseconds, hits: mutantsGlobal.mutantCoverage?.perTest[name] ?? {} });
  }

  override onAfterRunFiles(): void {
    super.onAfterRunFiles();
    note(journal, { tag: "outside", mutants: Object.keys(mutantsGlobal.mutantCoverage?.static ?? {}) });
  }
}
