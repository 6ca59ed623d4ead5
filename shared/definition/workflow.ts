import type { StandardSchemaV1 } from "@standard-schema/spec";
import { FUNCTION_MEMORY_MB, MAPPING_CONCURRENCY } from "../aws/quotas.ts";
import { type Duration, toMilliseconds } from "../base/duration.ts";
import { ConfigurationError } from "../base/errors.ts";
import { booleanOption, integerOption, rejectUnknownKeys, show } from "../base/options.ts";
import type { Task, TaskContext } from "../base/task.ts";
import type { SetLimit } from "../limits/fleet-limit.ts";
import { type PageReader, type Source, toSource } from "../sources/source.ts";
import { type AdaptiveOptions, type AdaptiveSearch, adaptiveSearch } from "./adaptive.ts";
import { type BundlingOptions, type BundlingSettings, bundlingSettings } from "./bundling-options.ts";
import type { OnComplete } from "./on-complete.ts";
import { type ParsedPermission, type Permission, parsePermissions } from "./permissions.ts";
import { FEWEST_MESSAGES_PER_SLOT, LARGEST_CONCURRENCY, largestMaxBacklog } from "./queued-messages.ts";
import { type RateLimitOptions, rateLimit } from "./rate-limit.ts";
import { type ResultsOptions, type ResultsSettings, resultsSettings } from "./results-options.ts";
import { parseSchedule, type Schedule, type ScheduleOption } from "./schedule.ts";
import { type TaskRetryOptions, type TaskRetryPolicy, taskRetryPolicy } from "./task-retry.ts";
import { type Tolerance, type ToleratedFailuresOptions, tolerance } from "./tolerance.ts";
import {
  checkConcurrency,
  DEFAULT_PRODUCERS,
  defaultTasksPerEnvironment,
  longestTaskMilliseconds,
  MOST_PRODUCERS,
  MOST_TASKS_PER_ENVIRONMENT,
} from "./topology.ts";
import type { NoSchema, SchemaMeets, TaskMeets } from "./types-that-meet.ts";

/**
 * The options of `defineWorkflow`.
 *
 * @typeParam Input What the source yields.
 * @typeParam Output What the task receives: the output of the `item` schema, or `Input` without a schema.
 * @typeParam Returned What the task returns.
 * @typeParam Result The result of an item: the output of the `result` schema, or what the task returns without a schema.
 */
export interface WorkflowOptions<Input = unknown, Output = Input, Returned = unknown, Result = Awaited<Returned>> {
  /**
   * The name of the workflow. The names of its queues, functions and stack contain it. 1 to 40 characters of `a-z`,
   * `0-9` and `-`; the first one is a letter.
   */
  readonly name: string;
  /**
   * Where the items come from: `httpPages(...)`, `fileLines(...)`, `s3Objects(...)`, `s3Lines(...)`,
   * `dynamoDbScan(...)`, `items(...)`, or your own `{ readPage }`.
   */
  readonly source: Source<Input> | PageReader<Input>;
  /**
   * The schema of an item: any Standard Schema, such as one of zod, valibot or arktype. The task receives the output of
   * the schema. An item that does not match the schema becomes a dead letter with the reason `invalid item`. Default:
   * the task receives the items as the source yields them. See https://standardschema.dev.
   */
  // A schema checks values of any type, so its input type need not be that of the source: with `z.coerce` it is
  // `unknown`.
  readonly item?: StandardSchemaV1<unknown, Output>;
  /** The work on one item. What it returns is the item's result. See `Task`. */
  readonly task: Task<Output, Returned>;
  /**
   * Whether and how a run keeps what its task returns. A run with results ends with a result set: exactly one row for each
   * item that succeeded, in the order of the source. `true` means `{ format: "jsonl" }`. See `ResultsOptions`. Default:
   * nothing is kept.
   *
   * A result must be JSON of at most 5 MB. `undefined` counts as `null`. An item whose result is anything else fails
   * permanently.
   *
   * @example `results: { format: "csv", include: ["attempts"] }`
   */
  readonly results?: boolean | ResultsOptions;
  /**
   * The schema of a result: any Standard Schema. The output of the schema is stored. An item whose result does not match
   * fails permanently. It needs `results`. Default: any JSON. See https://standardschema.dev.
   */
  readonly result?: StandardSchemaV1<unknown, Result>;
  /**
   * The most tasks that run at the same time, in all execution environments together: 2 to 33,333. It must be a
   * multiple of `tasksPerEnvironment`, and at least twice as large. `concurrency / tasksPerEnvironment` is the maximum
   * concurrency of the event source mapping, which is 2 to 1,000. At most about 120,000 messages of a queue can be in
   * flight, and each slot needs the message of its running task, the next message, and room for a replacement.
   * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
   * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
   */
  readonly concurrency: number;
  /**
   * The most tasks that run at the same time in one execution environment: 1 to 100. Tasks that mostly wait for other
   * services can share an environment. A task that needs the whole CPU needs 1. Default: the largest divisor of
   * `concurrency` up to 10 that gives 2 to 1,000 environments.
   */
  readonly tasksPerEnvironment?: number;
  /**
   * The most attempts that start in a time, in all execution environments and all runs of the workflow together. See
   * `RateLimitOptions`. `concurrency` bounds the tasks in flight in addition. Default: no such limit.
   */
  readonly rateLimit?: RateLimitOptions;
  /**
   * Whether the fleet finds out how much the service can bear. When the service refuses attempts because of load
   * (`Throttled`), fewer attempts run or start, and later the fleet tries more of them again. While the service refuses
   * nothing, this changes nothing. `{ latency: true }` also lowers the limit when the service becomes slow. `false` turns
   * the search off: then only `concurrency`, `rateLimit` and `sluice limit` apply. Default `true`.
   */
  readonly adaptive?: boolean | AdaptiveOptions;
  /**
   * How long one attempt may take: 1 ms to 875 s. A Lambda function runs for at most 900 s, and Sluice needs 25 s of
   * this time to start and to record the outcome. With `results` it needs 36 s, so the timeout is at most 864 s. Default
   * 30 s.
   * https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
   */
  readonly timeout?: Duration;
  /**
   * How often the task is tried, how long the pauses are, and how long an item may wait. Default: 5 attempts; random
   * pauses of up to 1 s, 2 s, 4 s and so on up to 5 min; waits of up to 24 h in total.
   */
  readonly retry?: TaskRetryOptions;
  /** How many items of a run may become dead letters before the run is stopped as `failed`. Default: any number. */
  readonly toleratedFailures?: ToleratedFailuresOptions;
  /** Called when a run has ended, with its exact counts. See `OnComplete`. Default: nothing is called. */
  readonly onComplete?: OnComplete;
  /**
   * When a deployed workflow starts a run by itself: `"rate(1 day)"`, `"cron(0 8 * * ? *)"` or
   * `"at(2026-12-24T18:00:00)"`, or an object with one of these and a time zone or a flexible window. Default: only
   * when a run is started by hand.
   * https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
   */
  readonly schedule?: ScheduleOption;
  /** The permissions in AWS that the task, the source and `onComplete` need when deployed. Default: none. */
  readonly permissions?: readonly Permission[];
  /**
   * The names of the environment variables that the workflow's code reads. `addWorkflowStacks` passes their values from
   * the shell that deploys to the functions. Default: none.
   */
  readonly environment?: readonly string[];
  /**
   * Where the secrets are that the workflow's code reads with `secret(name)`, by their names: the name of a secret in Secrets
   * Manager, `ssm:` and the name of a parameter in the Parameter Store, or the ARN of one of them. Both functions get the
   * right to read exactly these. The values are fetched when the code asks for them; they are never in the template or in
   * the environment. The option `secrets` of `FanOut` replaces single entries. Default: none.
   *
   * @example `secrets: { API_KEY: "shop/api-key", SIGNING_KEY: "ssm:/shop/signing-key" }`
   */
  readonly secrets?: Readonly<Record<string, string>>;
  /**
   * What a schedule does while the previous run is still active: `skip` (no run), `queue` (a run that starts when the
   * previous one has ended) or `allow` (a run at the same time, and both share `concurrency`). Default `skip`.
   */
  readonly overlap?: Overlap;
  /** The most items of a run, counted from the start of the source: at least 1. Default: all items. */
  readonly limit?: number;
  /**
   * How many messages may be in the queue before the producer pauses: at least twice `concurrency`, and at most 100,000
   * together with `concurrency`. All messages count, also those in work and those that wait for a backoff. Default: 20
   * times `concurrency`, and at least 10,000, within that limit. A pause takes at least one second. So slots are idle
   * if the consumers finish all messages in less than a second.
   */
  readonly maxBacklog?: number;
  /**
   * Whether a consumer receives more messages itself while it works on its batch and has a free slot. If this is
   * `false`, a free slot waits until the slowest task of the batch has ended. Default `true`.
   */
  readonly refill?: boolean;
  /**
   * The memory of a consumer's execution environment in MB: 128 to 10,240. Default 512.
   * https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
   */
  readonly memoryMb?: number;
  /**
   * How the workflow is bundled: packages that are installed beside the bundle, layers, and the processor. Default: everything
   * is bundled, for arm64. See `BundlingOptions`.
   *
   * @example { external: ["sharp"] }
   */
  readonly bundling?: BundlingOptions;
  /**
   * How many producers read the source of a run at the same time: 1 to 50. Each of them reads one partition of the source
   * after the other. Only a source with partitions can be read by more than one. A run with a limit of items is read by one
   * producer, so that it has exactly the first items. Default 1, or 4 if the source has partitions.
   */
  readonly producers?: number;
  /**
   * The memory of the producer's function in MB: 128 to 10,240. The producer holds two pages of the source at once. Default
   * 512. https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
   */
  readonly producerMemoryMb?: number;
}

declare const resultOfItem: unique symbol;

/**
 * A validated workflow. Only `defineWorkflow` creates one.
 *
 * @typeParam Result The result of an item.
 * @typeParam Item What the task receives.
 * @typeParam Input What the source yields.
 * @typeParam Returned What the task returns.
 */
export interface Workflow<Result = unknown, Item = unknown, Input = unknown, Returned = unknown> {
  readonly name: string;
  readonly source: Source<Input>;
  readonly item: StandardSchemaV1<unknown, Item> | undefined;
  /** The workflow's task. See `Task`. */
  // It is declared as a method, because a workflow of any item is a `Workflow`. Parameters of a property would be compared
  // strictly.
  task(item: Item, context: TaskContext): Returned;
  /** `undefined`: the workflow keeps no results. */
  readonly results: ResultsSettings | undefined;
  readonly result: StandardSchemaV1 | undefined;
  readonly concurrency: number;
  /** The value of the option. `undefined`: the topology derives it from `concurrency`. */
  readonly tasksPerEnvironment: number | undefined;
  /** `undefined`: the workflow sets no rate. */
  readonly rateLimit: SetLimit | undefined;
  readonly adaptive: AdaptiveSearch;
  readonly timeoutMilliseconds: number;
  readonly retry: TaskRetryPolicy;
  readonly toleratedFailures: Tolerance | undefined;
  readonly onComplete: OnComplete | undefined;
  readonly overlap: Overlap;
  /** Always `undefined` in a function: the schedule was checked when the stack was synthesised. */
  readonly schedule: Schedule | undefined;
  readonly permissions: readonly ParsedPermission[];
  readonly environment: readonly string[];
  readonly secrets: Readonly<Record<string, string>>;
  readonly limit: number | undefined;
  readonly maxBacklog: number | undefined;
  readonly refill: boolean;
  readonly memoryMb: number;
  readonly bundling: BundlingSettings;
  readonly producers: number;
  readonly producerMemoryMb: number | undefined;
  readonly [definedByUs]: true;
  /** Only for the type `ResultOf`. The property does not exist. */
  readonly [resultOfItem]?: Result;
}

/**
 * The type of a workflow's results.
 *
 * @example `type City = ResultOf<typeof workflow>`
 */
export type ResultOf<Of extends Workflow> = Of extends Workflow<infer Result> ? Result : never;

/**
 * What the task of a workflow receives.
 *
 * @example `type City = ItemOf<typeof workflow>`
 */
export type ItemOf<Of extends Workflow> = Of extends Workflow<unknown, infer Item> ? Item : never;

// The symbol is global, because the CLI and a workflow's file can use different copies of this module.
const definedByUs = Symbol.for("sluice.workflow");

const KEYS = [
  "name",
  "source",
  "item",
  "task",
  "results",
  "result",
  "concurrency",
  "tasksPerEnvironment",
  "rateLimit",
  "adaptive",
  "timeout",
  "retry",
  "toleratedFailures",
  "onComplete",
  "overlap",
  "schedule",
  "permissions",
  "environment",
  "secrets",
  "limit",
  "maxBacklog",
  "refill",
  "memoryMb",
  "bundling",
  "producers",
  "producerMemoryMb",
] as const satisfies readonly (keyof WorkflowOptions)[];

const NAME = /^[a-z][a-z0-9-]{0,39}$/;

/**
 * Defines a workflow. The result must be the default export of the workflow's file.
 *
 * The function checks all options and applies the defaults. It never rounds or limits a value silently.
 *
 * The compiler checks that the types meet: a schema that refuses every value of the source, and a task that takes another
 * type than the source yields, are errors that name the field. A source of `unknown` meets every schema and task.
 *
 * @throws {ConfigurationError} An option is unknown, missing or outside its range, or options contradict each other.
 *   The message states the option, the allowed range, the received value and how to fix it.
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
export function defineWorkflow<
  Input = unknown,
  Output = Input,
  Returned = unknown,
  Result = Awaited<Returned>,
  SchemaInput = NoSchema,
  ResultInput = unknown,
>(
  options: WorkflowOptions<Input, Output, Returned, Result> & {
    readonly item?: [SchemaInput] extends [NoSchema]
      ? unknown
      : StandardSchemaV1<SchemaInput, Output> & SchemaMeets<Input, SchemaInput, "source">;
    readonly task: TaskMeets<Input, Output, SchemaInput>;
    readonly result?: StandardSchemaV1<ResultInput, Result> & SchemaMeets<Awaited<Returned>, ResultInput, "task">;
  },
): Workflow<Result, Output, Input, Returned> {
  if (typeof options !== "object" || options === null) {
    throw new ConfigurationError(`defineWorkflow takes an object of options, but got ${show(options)}`);
  }
  rejectUnknownKeys(options, KEYS, "the workflow");
  // Defaults apply to missing options only. `null` is rejected.
  const { name, timeout = { seconds: 30 }, memoryMb = 512, refill = true } = options;
  if (typeof name !== "string" || !NAME.test(name)) {
    throw new ConfigurationError(
      `name must be 1 to 40 characters of a-z, 0-9 and -, starting with a letter, but is ${show(name)}: ` +
        "AWS limits the names made of it",
    );
  }
  const concurrency = integerOption("concurrency", options.concurrency, {
    minimum: MAPPING_CONCURRENCY.minimum,
    maximum: LARGEST_CONCURRENCY,
    fix:
      `an SQS event source mapping has a maximum concurrency of at least ${MAPPING_CONCURRENCY.minimum}, and SQS delivers ` +
      "no more when about 120000 messages are in flight",
  });
  const tasksPerEnvironment =
    options.tasksPerEnvironment === undefined
      ? undefined
      : integerOption("tasksPerEnvironment", options.tasksPerEnvironment, {
          minimum: 1,
          maximum: MOST_TASKS_PER_ENVIRONMENT,
          fix: "leave it out, and Sluice chooses a value that fits concurrency",
        });
  checkConcurrency(concurrency, tasksPerEnvironment ?? defaultTasksPerEnvironment(concurrency));
  const results = resultsSettings(options.results);
  const source = toSource(checkSource(options.source));
  return Object.freeze<Workflow<Result, Output, Input, Returned>>({
    name,
    source,
    item: checkSchema("item", options.item),
    task: checkTask(options.task),
    results,
    result: checkResultSchema(options.result, results),
    concurrency,
    tasksPerEnvironment,
    rateLimit: rateLimit(options.rateLimit),
    adaptive: adaptiveSearch(options.adaptive),
    timeoutMilliseconds: toMilliseconds(timeout, {
      option: "timeout",
      minimum: { milliseconds: 1 },
      maximum: { milliseconds: longestTaskMilliseconds({ results }) },
    }),
    retry: taskRetryPolicy(options.retry),
    toleratedFailures: tolerance(options.toleratedFailures),
    onComplete: checkOnComplete(options.onComplete),
    overlap: checkOverlap(options.overlap ?? "skip"),
    // The bundle of a function sets the variable. Functions need no schedule, so esbuild leaves out the code that parses one.
    schedule:
      process.env.SLUICE_IN_FUNCTION === undefined && options.schedule !== undefined
        ? parseSchedule(options.schedule)
        : undefined,
    permissions: parsePermissions(options.permissions ?? []),
    environment: checkEnvironment(options.environment ?? []),
    secrets: checkSecrets(options.secrets),
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
            minimum: FEWEST_MESSAGES_PER_SLOT * concurrency,
            maximum: largestMaxBacklog(concurrency),
            fix:
              `with concurrency ${concurrency}, fewer messages would leave slots idle, and with more SQS might deliver none: ` +
              "about 120000 can be in flight",
          }),
    refill: booleanOption("refill", refill),
    memoryMb: integerOption("memoryMb", memoryMb, {
      ...FUNCTION_MEMORY_MB,
      fix: "these are the limits of Lambda",
    }),
    bundling: bundlingSettings(options.bundling),
    producers: producers(options.producers, source),
    producerMemoryMb:
      options.producerMemoryMb === undefined
        ? undefined
        : integerOption("producerMemoryMb", options.producerMemoryMb, {
            ...FUNCTION_MEMORY_MB,
            fix: "these are the limits of Lambda",
          }),
    [definedByUs]: true,
  });
}

/** Whether `defineWorkflow` created a value, in this copy of the library or in another one. */
export function isWorkflow(value: unknown): value is Workflow {
  return typeof value === "object" && value !== null && definedByUs in value;
}

function producers(value: unknown, { partitions }: Pick<Source, "partitions">): number {
  if (value === undefined) return partitions === undefined ? 1 : DEFAULT_PRODUCERS;
  const count = integerOption("producers", value, {
    minimum: 1,
    maximum: MOST_PRODUCERS,
    fix: "each producer takes one execution environment of the producer's function",
  });
  if (count === 1 || partitions !== undefined) return count;
  throw new ConfigurationError(
    `producers must be 1, because the source has no partitions, but is ${count}: add the function partitions to the source, ` +
      "or leave the option out",
  );
}

function checkSource<Item>(source: Source<Item> | PageReader<Item>): Source<Item> | PageReader<Item> {
  if (typeof source === "object" && source !== null) {
    const read: unknown = "pages" in source ? source.pages : source.readPage;
    if (source.partitions !== undefined && typeof source.partitions !== "function") {
      throw new ConfigurationError(
        `source.partitions must be a function, but is ${show(source.partitions)}: return the list of partitions from it`,
      );
    }
    if (typeof read === "function") return source;
  }
  throw new ConfigurationError(
    `source must be a source, but is ${show(source)}: use httpPages(...), fileLines(...), items(...) or your own ` +
      "{ readPage(cursor) { ... } }",
  );
}

function checkSchema<Output>(
  option: "item" | "result",
  schema: StandardSchemaV1<unknown, Output> | undefined,
): StandardSchemaV1<unknown, Output> | undefined {
  if (schema === undefined || typeof schema?.["~standard"]?.validate === "function") return schema;
  throw new ConfigurationError(
    `${option} must be a Standard Schema (zod, valibot, arktype, ...), but is ${show(schema)}: see standardschema.dev`,
  );
}

function checkResultSchema(
  schema: StandardSchemaV1 | undefined,
  results: ResultsSettings | undefined,
): StandardSchemaV1 | undefined {
  if (schema === undefined || results !== undefined) return checkSchema("result", schema);
  throw new ConfigurationError(
    "result is the schema of what is kept, but the workflow keeps no results: add results: true, or leave result out",
  );
}

const OVERLAPS = ["skip", "queue", "allow"] as const;
/** What a schedule does while the previous run is still active. See `WorkflowOptions.overlap`. */
export type Overlap = (typeof OVERLAPS)[number];

function checkOverlap(overlap: Overlap): Overlap {
  if (OVERLAPS.includes(overlap)) return overlap;
  throw new ConfigurationError(`overlap must be ${OVERLAPS.join(", ")}, but is ${show(overlap)}`);
}

/** The names that Lambda allows. https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html */
const VARIABLE = /^[A-Za-z][A-Za-z0-9_]+$/;

function checkEnvironment(names: readonly string[]): readonly string[] {
  const wrong = Array.isArray(names) ? names.find((name) => typeof name !== "string" || !VARIABLE.test(name)) : names;
  if (wrong === undefined) return names;
  throw new ConfigurationError(
    `environment must be a list of names of environment variables, but holds ${show(wrong)}: write ["API_URL"]`,
  );
}

// `FanOut` checks at synth what the references name. Here the check would make each bundle larger.
function checkSecrets(secrets: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const values = typeof secrets === "object" && !Array.isArray(secrets) ? Object.values(secrets ?? [0]) : [0];
  if (values.every((value) => typeof value === "string")) return secrets;
  // A value may be a secret by mistake, so the message contains none.
  throw new ConfigurationError('secrets must be an object of names or ARNs: write { API_KEY: "shop/api-key" }');
}

function checkOnComplete(onComplete: OnComplete | undefined): OnComplete | undefined {
  if (onComplete === undefined || typeof onComplete === "function") return onComplete;
  throw new ConfigurationError(`onComplete must be a function (summary, context) => ..., but is ${show(onComplete)}`);
}

function checkTask<Item, Returned>(task: Task<Item, Returned>): Task<Item, Returned> {
  if (typeof task === "function") return task;
  throw new ConfigurationError(`task must be a function (item, context) => ..., but is ${show(task)}`);
}
