import { type RunnerTestCase as Test, TestRunner } from "vitest";
import { mutantsGlobal } from "./mutants-global.ts";
import { note, readPlan, TICK_MILLISECONDS } from "./plan.ts";
import { testName } from "./test-name.ts";

/** Some tests replace the global timers. */
const { setInterval } = globalThis;

const { journal } = readPlan();

let ticks = 0;
setInterval(() => ticks++, TICK_MILLISECONDS).unref();

/** Runs each test once, without a mutant, and notes the code of which mutants it runs. */
export default class CoverageRunner extends TestRunner {
  #ticksBefore = 0;
  #usageBefore = process.cpuUsage();

  override async onBeforeRunTask(test: Test): Promise<void> {
    await super.onBeforeRunTask(test);
    mutantsGlobal.currentTestId = testName(test);
    this.#ticksBefore = ticks;
    this.#usageBefore = process.cpuUsage();
  }

  override onAfterRunTask(test: Test): void {
    super.onAfterRunTask(test);
    mutantsGlobal.currentTestId = undefined;
    const name = testName(test);
    if (test.result?.state === "fail") {
      note(journal, { tag: "failed without a mutant", test: name, error: String(test.result.errors?.[0]?.message) });
    }
    const { user, system } = process.cpuUsage(this.#usageBefore);
    const took = ticks - this.#ticksBefore;
    // A test that really waits is as dear as one that computes.
    const cost = Math.max((user + system) / 1_000, took * TICK_MILLISECONDS);
    const hits = mutantsGlobal.mutantCoverage?.perTest[name] ?? {};
    note(journal, { tag: "hits", test: name, ticks: took, cost, hits });
  }

  override onAfterRunFiles(): void {
    super.onAfterRunFiles();
    note(journal, { tag: "outside", mutants: Object.keys(mutantsGlobal.mutantCoverage?.static ?? {}) });
  }
}
