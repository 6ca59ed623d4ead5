import { setTimeout } from "node:timers/promises";
import type { SQSEvent } from "aws-lambda";
import type { InvocationOutcome } from "../../../local/lambda/execution-environment.ts";
import type { SimulatedProcess } from "./simulated-process.ts";

/** Handles one invocation. `milliseconds` is the time until its timeout. */
export type Handler = (event: SQSEvent, milliseconds: number) => Promise<unknown>;

export interface SimulatedFunctionOptions {
  readonly timeoutSeconds: number;
  /** Starts an execution environment. */
  readonly start: () => {
    readonly process: SimulatedProcess;
    readonly handler: Handler;
    readonly startMilliseconds: number;
  };
}

interface Environment {
  readonly process: SimulatedProcess;
  readonly handler: Handler;
}

/** A function and its execution environments. They are started when they are needed, and kept for later invocations. */
export class SimulatedFunction {
  readonly #options: SimulatedFunctionOptions;
  readonly #idle: Environment[] = [];

  constructor(options: SimulatedFunctionOptions) {
    this.#options = options;
  }

  async invoke(event: SQSEvent): Promise<InvocationOutcome> {
    const environment = await this.#acquire();
    const outcome = await this.#run(environment, event);
    if (environment.process.isAlive) this.#idle.push(environment);
    return outcome;
  }

  async #acquire(): Promise<Environment> {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop())
      if (idle.process.isAlive) return idle;
    const { startMilliseconds, ...environment } = this.#options.start();
    await setTimeout(startMilliseconds);
    return environment;
  }

  async #run({ process, handler }: Environment, event: SQSEvent): Promise<InvocationOutcome> {
    if (!process.isAlive) return { tag: "crashed", error: await process.ended };
    const { timeoutSeconds } = this.#options;
    process.beginInvocation();
    const { promise, resolve } = Promise.withResolvers<InvocationOutcome>();
    const timeout = globalThis.setTimeout(() => {
      resolve({ tag: "timed out", error: `the invocation took longer than ${timeoutSeconds} s` });
      process.kill();
    }, timeoutSeconds * 1_000);
    void process.ended.then((error) => resolve({ tag: "crashed", error }));
    // No answer comes from a process that is gone or blocked.
    void process
      .send(() => handler(event, timeoutSeconds * 1_000))
      .then(
        (result) => resolve({ tag: "returned", result }),
        (error) => resolve({ tag: "threw", error: String(error) }),
      );
    try {
      return await promise;
    } finally {
      clearTimeout(timeout);
    }
  }
}
