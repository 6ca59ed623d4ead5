import * as z from "zod";
import { ConfigurationError } from "./errors.ts";

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
});

/** What the functions are told by whoever deploys them: the CDK app, or the embedded engine. */
export interface FunctionEnvironment {
  readonly queueUrl: string;
  readonly deadLetterQueueUrl: string;
  readonly controlQueueUrl: string;
  readonly controlDeadLetterQueueUrl: string;
  /** The EventBridge bus that is told of the ends of runs. Absent on the embedded engine, which has none. */
  readonly eventBus?: string | undefined;
  readonly table: string;
  readonly concurrency: number;
  readonly tasksPerEnvironment: number;
  readonly maxBacklog: number;
  readonly sliceSeconds: number;
  readonly controlVisibilitySeconds: number;
  readonly refillSeconds: number;
  readonly refillWaitingSeconds: number;
  readonly refillVisibilitySeconds: number;
}

/** The environment variables that hold it. */
export function toVariables(environment: FunctionEnvironment): Record<string, string> {
  return {
    SLUICE_QUEUE_URL: environment.queueUrl,
    SLUICE_DEAD_LETTER_QUEUE_URL: environment.deadLetterQueueUrl,
    SLUICE_CONTROL_QUEUE_URL: environment.controlQueueUrl,
    SLUICE_CONTROL_DEAD_LETTER_QUEUE_URL: environment.controlDeadLetterQueueUrl,
    ...(environment.eventBus !== undefined && { SLUICE_EVENT_BUS: environment.eventBus }),
    SLUICE_TABLE: environment.table,
    SLUICE_CONCURRENCY: String(environment.concurrency),
    SLUICE_TASKS_PER_ENVIRONMENT: String(environment.tasksPerEnvironment),
    SLUICE_MAX_BACKLOG: String(environment.maxBacklog),
    SLUICE_SLICE_SECONDS: String(environment.sliceSeconds),
    SLUICE_CONTROL_VISIBILITY_SECONDS: String(environment.controlVisibilitySeconds),
    SLUICE_REFILL_SECONDS: String(environment.refillSeconds),
    SLUICE_REFILL_WAITING_SECONDS: String(environment.refillWaitingSeconds),
    SLUICE_REFILL_VISIBILITY_SECONDS: String(environment.refillVisibilitySeconds),
  };
}

/**
 * Reads it back, once, when a function starts.
 *
 * @throws {ConfigurationError} A variable is missing or wrong.
 */
export function fromVariables(variables: Readonly<Record<string, string | undefined>>): FunctionEnvironment {
  const parsed = environmentSchema.safeParse(variables);
  if (!parsed.success) {
    throw new ConfigurationError(`the function's environment variables are wrong: ${z.prettifyError(parsed.error)}`);
  }
  return {
    queueUrl: parsed.data.SLUICE_QUEUE_URL,
    deadLetterQueueUrl: parsed.data.SLUICE_DEAD_LETTER_QUEUE_URL,
    controlQueueUrl: parsed.data.SLUICE_CONTROL_QUEUE_URL,
    controlDeadLetterQueueUrl: parsed.data.SLUICE_CONTROL_DEAD_LETTER_QUEUE_URL,
    eventBus: parsed.data.SLUICE_EVENT_BUS,
    table: parsed.data.SLUICE_TABLE,
    concurrency: parsed.data.SLUICE_CONCURRENCY,
    tasksPerEnvironment: parsed.data.SLUICE_TASKS_PER_ENVIRONMENT,
    maxBacklog: parsed.data.SLUICE_MAX_BACKLOG,
    sliceSeconds: parsed.data.SLUICE_SLICE_SECONDS,
    controlVisibilitySeconds: parsed.data.SLUICE_CONTROL_VISIBILITY_SECONDS,
    refillSeconds: parsed.data.SLUICE_REFILL_SECONDS,
    refillWaitingSeconds: parsed.data.SLUICE_REFILL_WAITING_SECONDS,
    refillVisibilitySeconds: parsed.data.SLUICE_REFILL_VISIBILITY_SECONDS,
  };
}
