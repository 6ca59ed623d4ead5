import type { Duration } from "../base/duration.ts";
import { ConfigurationError } from "../base/errors.ts";
import { integerOption, rejectUnknownKeys, show } from "../base/options.ts";
import type { Workflow } from "../definition/workflow.ts";
import { chunks } from "../producer/chunks.ts";
import { items as sourceOf } from "../sources/items.ts";
import type { Source } from "../sources/source.ts";
import type { FakeClock } from "./fake-clock.ts";
import type { WorkflowReport } from "./run-report.ts";
import { checkClock, checkWorkflow, timeoutOf } from "./run-task.ts";
import { TestRun } from "./test-run.ts";

/** The options of `runWorkflow`. */
export interface RunWorkflowOptions<Input = unknown> {
  /** The items of the run, instead of those of the workflow's source. Default: the workflow's source is read. */
  readonly items?: readonly Input[];
  /** How many tasks run at once: 1 or more. Default: the workflow's `concurrency`. */
  readonly concurrency?: number;
  /** How long one attempt may take. Default: the workflow's `timeout`. */
  readonly timeout?: Duration;
  /**
   * The clock of the run. Waits and pauses move it, and a timeout is over when it has moved on by so much. Default: a clock
   * that starts at 2026-01-01T00:00:00Z, and timeouts that need the time that passes.
   */
  readonly clock?: FakeClock;
  /**
   * Chooses the random part of each pause: a number from 0 to 1. Default: always 1, so each pause is the longest that the
   * backoff allows, and two runs are the same.
   */
  readonly random?: () => number;
  /** Ends the run when it fires: no more attempts start, and the rest of the items are cancelled. */
  readonly signal?: AbortSignal;
}

const KEYS = ["items", "concurrency", "timeout", "clock", "random", "signal"] as const;

/**
 * Runs a workflow in memory, in a test: the items go through the schema, failed attempts are tried again, items that fail
 * permanently become dead letters with a reason. It follows the rules of the consumer, but no time passes while an item
 * waits: a clock of its own is moved instead. No queue, ledger or AWS client is involved, so 100 items take milliseconds.
 *
 * `toleratedFailures` and `limit` of the workflow apply. `rateLimit`, the search for the service's limit, crashes of
 * processes and repeated deliveries are not simulated, and `onComplete` is not called.
 *
 * @returns The counts, the results and the failures of the run.
 * @throws {ConfigurationError} An option is unknown or outside its range, or the first parameter is no workflow.
 * @throws What the source throws, if `items` is missing.
 * @example
 * ```ts
 * const run = await runWorkflow(invoices, { items: [{ id: "1", amount: "3.50" }, { id: "404", amount: "1" }] });
 * expect(run).toMatchObject({ produced: 2, succeeded: 1, dead: 1, retried: 0 });
 * expect(run.results).toEqual([{ sent: true }]);
 * expect(run.failures[0]).toMatchObject({ reason: "permanent", attempts: 1 });
 * ```
 */
export async function runWorkflow<Result, Item, Input, Returned>(
  workflow: Workflow<Result, Item, Input, Returned>,
  options: RunWorkflowOptions<NoInfer<Input>> = {},
): Promise<WorkflowReport<Result, Input>> {
  checkWorkflow(workflow, "runWorkflow");
  rejectUnknownKeys(options, KEYS, "the options of runWorkflow");
  const { items, clock, random = () => 1, signal } = options;
  checkClock(clock, "runWorkflow");
  const concurrency = integerOption("concurrency", options.concurrency ?? workflow.concurrency, {
    minimum: 1,
    maximum: Number.MAX_SAFE_INTEGER,
    fix: "it is how many tasks run at once",
  });
  const timeoutMilliseconds = timeoutOf(workflow, options.timeout);
  const source: Source<unknown> = items === undefined ? workflow.source : sourceOf(checkItems(items));
  const warnings = new Set<string>();
  const run = new TestRun<Result, Input>(workflow, { concurrency, timeoutMilliseconds, clock, random, signal });
  const beginning = { cursor: undefined, loop: undefined, skip: 0, items: 0 };
  const reading = {
    signal: signal ?? new AbortController().signal,
    warn: (text: string) => void warnings.add(text),
    limit: workflow.limit,
    now: Date.now,
    onWait: () => {},
  };
  const started = clock?.awaitStart();
  let report: Promise<WorkflowReport<Result, Input>>;
  try {
    let given = 0;
    for await (const chunk of chunks(source, beginning, reading)) {
      for (const serialised of chunk.items) run.add(serialised, items?.[given++]);
    }
    report = run.finish([...warnings]);
  } finally {
    started?.();
  }
  return await report;
}

function checkItems<Input>(items: readonly Input[]): readonly Input[] {
  if (Array.isArray(items)) return items;
  throw new ConfigurationError(`the option items of runWorkflow must be an array, but is ${show(items)}`);
}
