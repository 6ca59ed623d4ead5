import { randomUUID } from "node:crypto";
import type { SQSEvent } from "aws-lambda";
import {
  ExecutionEnvironment,
  type FunctionConfiguration,
  type InvocationOutcome,
} from "../../local/lambda/execution-environment.ts";

/** What an invocation waited for whose environment was started for it, in milliseconds. */
export interface ColdStart {
  readonly outcome: InvocationOutcome;
  /** From the process's start until the handler was loaded. */
  readonly load: number;
  /** From then until the invocation was done. */
  readonly invocation: number;
}

/** Invokes a function in an environment of its own, and ends it. */
export async function coldStart(configuration: FunctionConfiguration, event: SQSEvent): Promise<ColdStart> {
  const startedAt = performance.now();
  const environment = new ExecutionEnvironment(configuration, { onActivity: () => {}, onPeakMemory: () => {} });
  try {
    await environment.started();
    const loadedAt = performance.now();
    const outcome = await environment.invoke(event, randomUUID());
    const doneAt = performance.now();
    if (outcome.tag !== "returned") throw new Error(`${configuration.name} ${outcome.tag}: ${outcome.error}`);
    return { outcome, load: loadedAt - startedAt, invocation: doneAt - loadedAt };
  } finally {
    environment.kill();
    await environment.gone();
  }
}
