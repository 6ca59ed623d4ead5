import { type RunnerTestCase as Test, TestRunner } from "vitest";
import { mutantsGlobal } from "./mutants-global.ts";
import { type Entry, note, pairOf, readPlan, TICK_MILLISECONDS } from "./plan.ts";
import { testName } from "./test-name.ts";

/** Some tests replace the global timers. */
const { setTimeout } = globalThis;

const { journal, hits = {}, ticks = {}, settled: settledBefore, done: doneBefore } = readPlan();
const settled = new Set(settledBefore);
const done = new Set(doneBefore);

/** A mutant may run a loop this many times as often as the original code. */
const HIT_FACTOR = 100;

/** A mutant may make a test wait for ever. A test is given this many ticks more than without a mutant. */
const patience = (test: string): number => 60 + 5 * (ticks[test] ?? 0);

/** Calls `end` after some time in which this process could work. On a busy machine, a test makes progress between ticks. */
function afterTicks(count: number, end: () => void): void {
  setTimeout(() => (count <= 1 ? end() : afterTicks(count - 1, end)), TICK_MILLISECONDS).unref();
}

/** Errors that no test awaits also count: vitest reports them as failures of the whole run. */
let strayErrors = 0;
for (const event of ["uncaughtException", "unhandledRejection"] as const) process.on(event, () => void strayErrors++);

type Step =
  | { readonly tag: "mutant"; readonly id: string }
  /** Without a mutant, after a failure with one. */
  | { readonly tag: "control"; readonly after: string }
  /** Without a mutant, before the first one. */
  | { readonly tag: "baseline" };

/** Whether a mutant has left something behind in this process. */
let isPolluted = false;

/**
 * Repeats each test: once for each mutant whose code it runs, and that no test has killed yet. After a repetition that
 * fails, the test is repeated without a mutant. If it fails again, the mutant has left something behind, or the test cannot be
 * repeated in one process. The test is then left to the next process, where that mutant comes first. From then on, each test of
 * this process first runs without a mutant.
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
    else if (isPolluted) this.#steps.unshift({ tag: "baseline" });
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
      afterTicks(patience(testName(test)), () => reject(new Error("the test does not end")));
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
      if (failed) this.#leave({ tag: "polluted", test: name, mutant });
      else {
        note(journal, { tag: "killed", test: name, mutant });
        settled.add(mutant);
      }
    } else if (failed) this.#leave({ tag: "unfit", test: name });
    if (result === undefined) return;
    delete result.errors;
    result.state = "pass";
    // Vitest then repeats the test no more.
    if (this.#steps.length === 0) (result as { pending?: boolean }).pending = true;
  }

  /** Leaves the rest of a test to the next process. */
  #leave(entry: Entry): void {
    note(journal, entry);
    isPolluted = true;
    this.#steps = [];
  }
}
