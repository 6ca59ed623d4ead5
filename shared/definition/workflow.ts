import type { StandardSchemaV1 } from "@standard-schema/spec";
import { FUNCTION_MEMORY_MB, MAPPING_CONCURRENCY } from "../aws/quotas.ts";
import { type Duration, toMilliseconds } from "../base/duration.ts";
import { ConfigurationError } from "../base/errors.ts";
import { booleanOption, integerOption, rejectUnknownKeys, show } from "../base/options.ts";
import type { Task } from "../base/task.ts";
import { type PageReader, type Source, toSource } from "../sources/source.ts";
import type { OnComplete } from "./completion.ts";
import { type ParsedPermission, type Permission, parsePermissions } from "./permissions.ts";
import { parseSchedule, type Schedule, type ScheduleOption } from "./schedule.ts";
import { type TaskRetryOptions, type TaskRetryPolicy, taskRetryPolicy } from "./task-retry.ts";
import { type Tolerance, type ToleratedFailuresOptions, tolerance } from "./tolerance.ts";
import {
  checkConcurrency,
  defaultTasksPerEnvironment,
  LONGEST_TASK_MILLISECONDS,
  MOST_TASKS_PER_ENVIRONMENT,
} from "./topology.ts";

/** What a user writes: one file, one workflow. */
export interface WorkflowOptions<Input = unknown, Output = Input> {
  /** Names the queues, the functions and the stack: 1 to 40 of `a-z`, `0-9` and `-`, starting with a letter. */
  readonly name: string;
  /** Where the items come from: `httpPages(...)`, `fileLines(...)`, `items(...)`, or your own `{ readPage }`. */
  readonly source: Source<Input> | PageReader<Input>;
  /**
   * The schema of an item: any Standard Schema (zod, valibot, arktype, ...). The task gets what it returns. An item that
   * fails it is one dead letter, `invalid item`. Default: items are passed on as they are.
   */
  readonly item?: StandardSchemaV1<unknown, Output>;
  /** The work on one item. See `Task`. */
  readonly task: Task<Output>;
  /** Tasks in flight over the whole fleet, 2 to 100,000: a multiple of `tasksPerEnvironment`, twice it or more. */
  readonly concurrency: number;
  /**
   * Tasks in flight inside one execution environment, 1 to 100. I/O-bound tasks share one well; a task that needs the
   * whole CPU wants 1. Default: the largest divisor of `concurrency` up to 10 that leaves two environments or more.
   */
  readonly tasksPerEnvironment?: number;
  /** How long one attempt may take, 1 ms to 875 s (a Lambda's 900 s less the time to begin and to record). Default 30 s. */
  readonly timeout?: Duration;
  /** Default: 5 attempts, pauses of up to 1 s, 2 s, 4 s, ... up to 5 min, and waits of 24 h in all. */
  readonly retry?: TaskRetryOptions;
  /** How many dead items a run bears before it is stopped as `failed`. Default: any number. */
  readonly toleratedFailures?: ToleratedFailuresOptions;
  /** Called when a run has ended, with its exact counts. See `OnComplete`. */
  readonly onComplete?: OnComplete;
  /**
   * When a deployed workflow runs by itself: `"rate(1 day)"`, `"cron(0 8 * * ? *)"`, `"at(2026-12-24T18:00:00)"`, or one
   * of these with a time zone, a flexible window, or disabled. Default: only when it is started.
   */
  readonly schedule?: ScheduleOption;
  /** The AWS rights that the task, the source and `onComplete` need when deployed. Default: none. */
  readonly permissions?: readonly Permission[];
  /** The environment variables that the workflow's code reads: who deploys it passes their values on. Default: none. */
  readonly environment?: readonly string[];
  /**
   * What a schedule does while the last run still works: `skip` (the default), `queue` (start when it has ended) or
   * `allow` (both at once, sharing `concurrency`).
   */
  readonly overlap?: Overlap;
  /** Items of a run at the most, counted from the source's start. Default: all. */
  readonly limit?: number;
  /**
   * Messages that may wait in the queue before the producer pauses: at least twice `concurrency`. Default: 20 times
   * `concurrency`, at least 10,000. A pause is a second at the shortest, so slots are idle if all of them are
   * worked off within a second.
   */
  readonly maxBacklog?: number;
  /**
   * Whether a consumer receives more messages itself while its batch runs and a slot is free, instead of waiting for the
   * slowest task of the batch. Default true.
   */
  readonly refill?: boolean;
  /** Memory of a consumer's environment in MB, 128 to 10,240. Default 512. */
  readonly memoryMb?: number;
}

/** A validated workflow. Made by `defineWorkflow`, never by hand. */
export interface Workflow {
  readonly name: string;
  readonly source: Source;
  readonly item: StandardSchemaV1 | undefined;
  readonly task: Task<unknown>;
  readonly concurrency: number;
  /** As asked for; `undefined` where it is derived. */
  readonly tasksPerEnvironment: number | undefined;
  readonly timeoutMilliseconds: number;
  readonly retry: TaskRetryPolicy;
  readonly toleratedFailures: Tolerance | undefined;
  readonly onComplete: OnComplete | undefined;
  readonly overlap: Overlap;
  readonly schedule: Schedule | undefined;
  readonly permissions: readonly ParsedPermission[];
  readonly environment: readonly string[];
  readonly limit: number | undefined;
  readonly maxBacklog: number | undefined;
  readonly refill: boolean;
  readonly memoryMb: number;
  readonly [definedByUs]: true;
}

// A symbol in the global registry: the CLI and a bundle each hold a copy of this module.
const definedByUs = Symbol.for("sluice.workflow");

const KEYS = [
  "name",
  "source",
  "item",
  "task",
  "concurrency",
  "tasksPerEnvironment",
  "timeout",
  "retry",
  "toleratedFailures",
  "onComplete",
  "overlap",
  "schedule",
  "permissions",
  "environment",
  "limit",
  "maxBacklog",
  "refill",
  "memoryMb",
] as const satisfies readonly (keyof WorkflowOptions)[];

const NAME = /^[a-z][a-z0-9-]{0,39}$/;

/**
 * Defines a workflow, the default export of its file.
 *
 * @throws {ConfigurationError} An option is unknown, missing or outside its range, or options do not fit together. The
 * message names the option, the range, the value and the mend. Nothing is clamped.
 * @example
 * ```ts
 * export default defineWorkflow({
 *   name: "invoices",
 *   source: fileLines("invoices.jsonl", { format: "jsonl" }),
 *   item: z.object({ id: z.string() }),
 *   task: async ({ id }, { signal }) => { await send(id, { signal }); },
 *   concurrency: 50,
 *   timeout: { seconds: 10 },
 * });
 * ```
 */
export function defineWorkflow<Input = unknown, Output = Input>(options: WorkflowOptions<Input, Output>): Workflow {
  if (typeof options !== "object" || options === null) {
    throw new ConfigurationError(`defineWorkflow takes an object of options, but got ${show(options)}`);
  }
  rejectUnknownKeys(options, KEYS, "the workflow");
  // A default stands for what is left out, and not for null.
  const { name, timeout = { seconds: 30 }, memoryMb = 512, refill = true } = options;
  if (typeof name !== "string" || !NAME.test(name)) {
    throw new ConfigurationError(
      `name must be 1 to 40 characters of a-z, 0-9 and -, starting with a letter, but is ${show(name)}: ` +
        "it names the queues and the functions, whose names AWS limits",
    );
  }
  const concurrency = integerOption("concurrency", options.concurrency, {
    minimum: MAPPING_CONCURRENCY.minimum,
    maximum: MAPPING_CONCURRENCY.maximum * MOST_TASKS_PER_ENVIRONMENT,
    fix: `an SQS event source mapping has a maximum concurrency of at least ${MAPPING_CONCURRENCY.minimum}`,
  });
  const tasksPerEnvironment =
    options.tasksPerEnvironment === undefined
      ? undefined
      : integerOption("tasksPerEnvironment", options.tasksPerEnvironment, {
          minimum: 1,
          maximum: MOST_TASKS_PER_ENVIRONMENT,
          fix: "leave it out for a value that fits concurrency",
        });
  checkConcurrency(concurrency, tasksPerEnvironment ?? defaultTasksPerEnvironment(concurrency));
  return Object.freeze<Workflow>({
    name,
    source: toSource(checkSource(options.source)),
    item: checkSchema(options.item),
    task: checkTask(options.task) as Task<unknown>,
    concurrency,
    tasksPerEnvironment,
    timeoutMilliseconds: toMilliseconds(timeout, {
      option: "timeout",
      minimum: { milliseconds: 1 },
      maximum: { milliseconds: LONGEST_TASK_MILLISECONDS },
    }),
    retry: taskRetryPolicy(options.retry),
    toleratedFailures: tolerance(options.toleratedFailures),
    onComplete: checkOnComplete(options.onComplete),
    overlap: checkOverlap(options.overlap ?? "skip"),
    schedule: options.schedule === undefined ? undefined : parseSchedule(options.schedule),
    permissions: parsePermissions(options.permissions ?? []),
    environment: checkEnvironment(options.environment ?? []),
    limit:
      options.limit === undefined
        ? undefined
        : integerOption("limit", options.limit, {
            minimum: 1,
            maximum: Number.MAX_SAFE_INTEGER,
            fix: "leave it out to read the whole source",
          }),
    maxBacklog:
      options.maxBacklog === undefined
        ? undefined
        : integerOption("maxBacklog", options.maxBacklog, {
            minimum: 2 * concurrency,
            maximum: Number.MAX_SAFE_INTEGER,
            fix: `at concurrency ${concurrency} fewer than ${2 * concurrency} waiting messages would leave tasks idle`,
          }),
    refill: booleanOption("refill", refill),
    memoryMb: integerOption("memoryMb", memoryMb, {
      ...FUNCTION_MEMORY_MB,
      fix: "these are Lambda's limits",
    }),
    [definedByUs]: true,
  });
}

/** Whether a value was made by `defineWorkflow`, in this copy of the library or in another. */
export function isWorkflow(value: unknown): value is Workflow {
  return typeof value === "object" && value !== null && definedByUs in value;
}

function checkSource<Item>(source: Source<Item> | PageReader<Item>): Source<Item> | PageReader<Item> {
  if (typeof source === "object" && source !== null) {
    const read: unknown = "pages" in source ? source.pages : source.readPage;
    if (typeof read === "function") return source;
  }
  throw new ConfigurationError(
    `source must be a source, but is ${show(source)}: use httpPages(...), fileLines(...), items(...) or your own ` +
      "{ readPage(cursor) { ... } }",
  );
}

function checkSchema(schema: StandardSchemaV1 | undefined): StandardSchemaV1 | undefined {
  if (schema === undefined || typeof schema?.["~standard"]?.validate === "function") return schema;
  throw new ConfigurationError(
    `item must be a Standard Schema (zod, valibot, arktype, ...), but is ${show(schema)}: see standardschema.dev`,
  );
}

const OVERLAPS = ["skip", "queue", "allow"] as const;
export type Overlap = (typeof OVERLAPS)[number];

function checkOverlap(overlap: Overlap): Overlap {
  if (OVERLAPS.includes(overlap)) return overlap;
  throw new ConfigurationError(`overlap must be ${OVERLAPS.join(", ")}, but is ${show(overlap)}`);
}

/** https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html */
const VARIABLE = /^[A-Za-z][A-Za-z0-9_]+$/;

function checkEnvironment(names: readonly string[]): readonly string[] {
  const wrong = Array.isArray(names) ? names.find((name) => typeof name !== "string" || !VARIABLE.test(name)) : names;
  if (wrong === undefined) return names;
  throw new ConfigurationError(
    `environment must be a list of names of environment variables, but holds ${show(wrong)}: write ["API_URL"]`,
  );
}

function checkOnComplete(onComplete: OnComplete | undefined): OnComplete | undefined {
  if (onComplete === undefined || typeof onComplete === "function") return onComplete;
  throw new ConfigurationError(`onComplete must be a function (summary, context) => ..., but is ${show(onComplete)}`);
}

function checkTask<Item>(task: Task<Item>): Task<Item> {
  if (typeof task === "function") return task;
  throw new ConfigurationError(`task must be a function (item, context) => ..., but is ${show(task)}`);
}
