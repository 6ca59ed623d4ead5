import { type RunnerTestCase as Test, TestRunner } from "vitest";
import { mutantsGlobal } from "./mutants-global.ts";
import { note, pairOf, readPlan } from "./plan.ts";
import { testName } from "./test-name.ts";

/** Some tests replace the global timers. */
const { setTimeout } = globalThis;

const { journal, hits = {}, milliseconds = {}, settled: settledBefore, done: doneBefore } = readPlan();
const settled = new Set(settledBefore);
const done = new Set(doneBefore);

/** A mutant may run a loop this many times as often as the original code. */
const HIT_FACTOR = 100;

/** A mutant may make a test wait for ever. A test is given this much longer than without a mutant. */
const patience = (test: string): number => 1_500 + 5 * (milliseconds[test] ?? 0);

/** Errors that no test awaits also count: vitest reports them as failures of the whole run. */
let strayErrors = 0;
for (const event of ["uncaughtException", "unhandledRejection"] as const) process.on(event, () => void strayErrors++);

type Step = { readonly tag: "mutant"; readonly id: string } | { readonly tag: "control"; readonly after: string };

/**
 * Repeats each test: once for each mutant whose code it runs, and that no test has killed yet. After a repetition that
 * fails, the test is repeated without a mutant. If it fails again, the mutant has left something behind. Then the process
 * ends, and the next one continues with the same mutant.
 */
export default class MutationRunner extends TestRunner {
  #steps: Step[] = [];
  #step: Step | undefined;

  override async onBeforeRunTask(test: Test): Promise<void> {
    await super.onBeforeRunTask(test);
    const name = testName(test);
    this.#steps = Object.keys(hits[name] ?? {})
      .filter((id) => !settled.has(id) && !done.has(pairOf(name, id)))
      .map((id) => ({ tag: "mutant", id }));
    if (this.#steps.length === 0) test.mode = "skip";
    // `#next` ends the repetitions.
    test.repeats = Number.MAX_SAFE_INTEGER;
  }

  override onBeforeTryTask(test: Test): void {
    super.onBeforeTryTask(test);
    this.#step = this.#steps.shift();
    strayErrors = 0;
    mutantsGlobal.hitCount = 0;
    if (test.result !== undefined) {
      test.result.state = "run";
      delete test.result.errors;
    }
    if (this.#step?.tag !== "mutant") return;
    const { id } = this.#step;
    note(journal, { tag: "begin", test: testName(test), mutant: id });
    mutantsGlobal.hitLimit = HIT_FACTOR * (hits[testName(test)]?.[id] ?? 1);
    mutantsGlobal.activeMutant = id;
  }

  async runTask(test: Test): Promise<void> {
    const waited = new Promise((_, reject) => {
      setTimeout(() => reject(new Error("the test does not end")), patience(testName(test))).unref();
    });
    await Promise.race([TestRunner.getTestFn(test)(), waited]);
  }

  async onAfterRetryTask(test: Test): Promise<void> {
    // Rejections without a handler are reported after the microtasks.
    await new Promise((resolve) => setTimeout(resolve));
    const isHitLimitReached = (mutantsGlobal.hitCount ?? 0) > (mutantsGlobal.hitLimit ?? 0);
    mutantsGlobal.activeMutant = undefined;
    const { result } = test;
    const failed = result?.state === "fail" || strayErrors > 0 || isHitLimitReached;
    const name = testName(test);
    if (this.#step?.tag === "mutant") {
      const { id } = this.#step;
      if (failed) this.#steps.unshift({ tag: "control", after: id });
      else note(journal, { tag: "survived", test: name, mutant: id });
    } else if (this.#step?.tag === "control") {
      const mutant = this.#step.after;
      note(journal, { tag: failed ? "polluted" : "killed", test: name, mutant });
      if (failed) process.kill(process.pid, "SIGKILL");
      settled.add(mutant);
    }
    if (result === undefined) return;
    delete result.errors;
    result.state = "pass";
    // Vitest then repeats the test no more.
    if (this.#steps.length === 0) (result as { pending?: boolean }).pending = true;
  }
}
