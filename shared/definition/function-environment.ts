import * as z from "zod";
import type { ServiceAccess } from "../aws/service-access.ts";
import { ConfigurationError } from "../base/errors.ts";
import { show } from "../base/options.ts";
import type { Topology } from "./topology.ts";

const accessSchema = z.object({
  SLUICE_SQS_ENDPOINT: z.url(),
  SLUICE_DYNAMODB_ENDPOINT: z.url(),
  SLUICE_REGION: z.string().min(1),
  SLUICE_ACCESS_KEY_ID: z.string().min(1),
  SLUICE_SECRET_ACCESS_KEY: z.string().min(1),
});

const environmentSchema = z.object({
  SLUICE_QUEUE_URL: z.url(),
  SLUICE_DEAD_LETTER_QUEUE_URL: z.url(),
  SLUICE_CONTROL_QUEUE_URL: z.url(),
  SLUICE_CONTROL_DEAD_LETTER_QUEUE_URL: z.url(),
  SLUICE_EVENT_BUS: z.string().min(1).optional(),
  SLUICE_TABLE: z.string().min(1),
  SLUICE_CONCURRENCY: z.coerce.number().int().min(1),
  SLUICE_TASKS_PER_ENVIRONMENT: z.coerce.number().int().min(1),
  SLUICE_MAX_BACKLOG: z.coerce.number().int().min(1),
  SLUICE_SLICE_SECONDS: z.coerce.number().min(1),
  SLUICE_CONTROL_VISIBILITY_SECONDS: z.coerce.number().int().min(3),
  SLUICE_REFILL_SECONDS: z.coerce.number().min(0),
  SLUICE_REFILL_WAITING_SECONDS: z.coerce.number().min(0),
  SLUICE_REFILL_VISIBILITY_SECONDS: z.coerce.number().int().min(1),
  SLUICE_RESULTS_URL: z.url().optional(),
  SLUICE_STACK: z.string().min(1).optional(),
  SLUICE_CODE_VERSION: z.string().min(1).optional(),
  SLUICE_FAST_PATH: z.enum(["on", "off"]).default("on"),
});

/** The queues, the table and other facts of a deployed workflow. The CDK app and the embedded engine supply these values. */
export interface Deployment {
  readonly queueUrl: string;
  readonly deadLetterQueueUrl: string;
  readonly controlQueueUrl: string;
  readonly controlDeadLetterQueueUrl: string;
  /** The ARN of the EventBridge bus that receives an event at the end of each run. Absent in the embedded engine. */
  readonly eventBus?: string | undefined;
  /** Endpoints and access key of the queues and the ledger. Absent on Lambda, where the AWS SDK finds them. */
  readonly access?: ServiceAccess | undefined;
  /** The name of the ledger's table. */
  readonly table: string;
  /** The URL of the object store for the workflow's results. Absent if the workflow keeps no results. */
  readonly resultsUrl?: string | undefined;
  /** The stack's name, which is a dimension of the metrics. Absent in the embedded engine. */
  readonly stack?: string | undefined;
  /** The version of the workflow's code, which a run records when it begins. Absent if code of an older Sluice deployed it. */
  readonly codeVersion?: string | undefined;
  /** Whether requests may bypass the SDK. See `useFastPath`. */
  readonly fastPath: boolean;
}

/** Everything that the functions read from their environment variables. `Topology` describes the numbers. */
export interface FunctionEnvironment extends Deployment {
  readonly concurrency: number;
  readonly tasksPerEnvironment: number;
  readonly maxBacklog: number;
  readonly sliceSeconds: number;
  readonly controlVisibilitySeconds: number;
  readonly refillSeconds: number;
  readonly refillWaitingSeconds: number;
  readonly refillVisibilitySeconds: number;
}

/**
 * Combines the topology and the deployment of a workflow into the values that its functions read.
 *
 * @example toVariables(functionEnvironment(topology(workflow), deployment))
 */
export function functionEnvironment(topology: Topology, deployment: Deployment): FunctionEnvironment {
  const { producer, consumer } = topology;
  return {
    ...deployment,
    concurrency: topology.concurrency,
    tasksPerEnvironment: topology.tasksPerEnvironment,
    maxBacklog: topology.maxBacklog,
    sliceSeconds: producer.sliceSeconds,
    controlVisibilitySeconds: producer.visibilitySeconds,
    refillSeconds: consumer.refillSeconds,
    refillWaitingSeconds: consumer.refillWaitingSeconds,
    refillVisibilitySeconds: consumer.refillVisibilitySeconds,
  };
}

/** The environment variables from which `fromVariables` reads the same values. */
export function toVariables(environment: FunctionEnvironment): Record<string, string> {
  return {
    SLUICE_QUEUE_URL: environment.queueUrl,
    SLUICE_DEAD_LETTER_QUEUE_URL: environment.deadLetterQueueUrl,
    SLUICE_CONTROL_QUEUE_URL: environment.controlQueueUrl,
    SLUICE_CONTROL_DEAD_LETTER_QUEUE_URL: environment.controlDeadLetterQueueUrl,
    ...(environment.eventBus !== undefined && { SLUICE_EVENT_BUS: environment.eventBus }),
    ...(environment.access && accessVariables(environment.access)),
    SLUICE_TABLE: environment.table,
    SLUICE_CONCURRENCY: String(environment.concurrency),
    SLUICE_TASKS_PER_ENVIRONMENT: String(environment.tasksPerEnvironment),
    SLUICE_MAX_BACKLOG: String(environment.maxBacklog),
    SLUICE_SLICE_SECONDS: String(environment.sliceSeconds),
    SLUICE_CONTROL_VISIBILITY_SECONDS: String(environment.controlVisibilitySeconds),
    SLUICE_REFILL_SECONDS: String(environment.refillSeconds),
    SLUICE_REFILL_WAITING_SECONDS: String(environment.refillWaitingSeconds),
    SLUICE_REFILL_VISIBILITY_SECONDS: String(environment.refillVisibilitySeconds),
    ...(environment.resultsUrl !== undefined && { SLUICE_RESULTS_URL: environment.resultsUrl }),
    ...(environment.stack !== undefined && { SLUICE_STACK: environment.stack }),
    ...(environment.codeVersion !== undefined && { SLUICE_CODE_VERSION: environment.codeVersion }),
    SLUICE_FAST_PATH: environment.fastPath ? "on" : "off",
  };
}

const accessVariables = (access: ServiceAccess): z.infer<typeof accessSchema> => ({
  SLUICE_SQS_ENDPOINT: access.sqsEndpoint,
  SLUICE_DYNAMODB_ENDPOINT: access.dynamoDbEndpoint,
  SLUICE_REGION: access.region,
  SLUICE_ACCESS_KEY_ID: access.accessKeyId,
  SLUICE_SECRET_ACCESS_KEY: access.secretAccessKey,
});

/**
 * Whether the functions use the fast path. The environment variable `SLUICE_FAST_PATH` of the command that deploys or
 * starts the functions decides this. Default: `on`.
 *
 * @throws {ConfigurationError} The variable is neither `on` nor `off`.
 */
export function fastPathOf({ SLUICE_FAST_PATH: value = "on" }: Readonly<Record<string, string | undefined>>): boolean {
  if (value === "on" || value === "off") return value === "on";
  throw new ConfigurationError(
    `SLUICE_FAST_PATH must be on or off, but is ${show(value)}: without it, the fast path is on`,
  );
}

/**
 * Reads the values from environment variables. A function calls it once, when it starts.
 *
 * @throws {ConfigurationError} A variable is missing or wrong.
 */
export function fromVariables(variables: Readonly<Record<string, string | undefined>>): FunctionEnvironment {
  const parsed = parse(environmentSchema, variables);
  return {
    queueUrl: parsed.SLUICE_QUEUE_URL,
    deadLetterQueueUrl: parsed.SLUICE_DEAD_LETTER_QUEUE_URL,
    controlQueueUrl: parsed.SLUICE_CONTROL_QUEUE_URL,
    controlDeadLetterQueueUrl: parsed.SLUICE_CONTROL_DEAD_LETTER_QUEUE_URL,
    eventBus: parsed.SLUICE_EVENT_BUS,
    access: accessOf(variables),
    table: parsed.SLUICE_TABLE,
    concurrency: parsed.SLUICE_CONCURRENCY,
    tasksPerEnvironment: parsed.SLUICE_TASKS_PER_ENVIRONMENT,
    maxBacklog: parsed.SLUICE_MAX_BACKLOG,
    sliceSeconds: parsed.SLUICE_SLICE_SECONDS,
    controlVisibilitySeconds: parsed.SLUICE_CONTROL_VISIBILITY_SECONDS,
    refillSeconds: parsed.SLUICE_REFILL_SECONDS,
    refillWaitingSeconds: parsed.SLUICE_REFILL_WAITING_SECONDS,
    refillVisibilitySeconds: parsed.SLUICE_REFILL_VISIBILITY_SECONDS,
    resultsUrl: parsed.SLUICE_RESULTS_URL,
    stack: parsed.SLUICE_STACK,
    codeVersion: parsed.SLUICE_CODE_VERSION,
    fastPath: parsed.SLUICE_FAST_PATH === "on",
  };
}

/** Reads the endpoints, the region and the access key. Either all of their variables must be set, or none of them. */
function accessOf(variables: Readonly<Record<string, string | undefined>>): ServiceAccess | undefined {
  if (Object.keys(accessSchema.shape).every((name) => variables[name] === undefined)) return undefined;
  const parsed = parse(accessSchema, variables);
  return {
    sqsEndpoint: parsed.SLUICE_SQS_ENDPOINT,
    dynamoDbEndpoint: parsed.SLUICE_DYNAMODB_ENDPOINT,
    region: parsed.SLUICE_REGION,
    accessKeyId: parsed.SLUICE_ACCESS_KEY_ID,
    secretAccessKey: parsed.SLUICE_SECRET_ACCESS_KEY,
  };
}

/** @throws {ConfigurationError} A variable is missing or wrong. */
function parse<Schema extends z.ZodType>(schema: Schema, variables: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(variables);
  if (parsed.success) return parsed.data;
  throw new ConfigurationError(`the function's environment variables are wrong: ${z.prettifyError(parsed.error)}`);
}
