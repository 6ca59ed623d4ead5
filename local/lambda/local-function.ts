import { randomUUID } from "node:crypto";
import { toError } from "../../shared/base/thrown.ts";
import {
  type EnvironmentObserver,
  ExecutionEnvironment,
  type FunctionConfiguration,
  type InvocationOutcome,
} from "./execution-environment.ts";
import type { Activity } from "./runtime-protocol.ts";

/**
 * How many environments of one function start at the same time. On a few cores, more of them would not be ready sooner.
 */
const STARTING_AT_ONCE = 2;

export interface FunctionObserver {
  /** Called with what the tasks of an environment did. `environment` is its number. */
  readonly onActivity: (environment: number, activity: Activity) => void;
  readonly onFailure: (error: string) => void;
}

/**
 * Environments that are started before they are needed. Each promise resolves with how an environment ended, or with
 * `undefined` if none ended.
 */
export interface Preparation {
  /** The first environment: it is started alone, so that it is ready soon. */
  readonly first: Promise<string | undefined>;
  /** All of them. */
  readonly all: Promise<string | undefined>;
}

/**
 * A function. Its environments are started when they are first needed, kept for later invocations, frozen in between, and
 * replaced when they die.
 */
export class LocalFunction {
  readonly #configuration: FunctionConfiguration;
  readonly #observer: FunctionObserver;
  readonly #idle: ExecutionEnvironment[] = [];
  readonly #all = new Set<ExecutionEnvironment>();
  readonly #starts: (() => void)[] = [];
  /** Environments of a preparation that have not started yet. */
  #preparing = 0;
  /** Invocations that wait for an environment of a preparation, or for one that becomes idle. */
  readonly #waiting: (() => void)[] = [];
  #closed = false;
  #isShutDown = false;
  #invocations = 0;
  #starting = 0;
  #counter = 0;
  #peakMemoryMb = 0;

  constructor(configuration: FunctionConfiguration, observer: FunctionObserver) {
    this.#configuration = configuration;
    this.#observer = observer;
  }

  /** The highest resident set of any of its environments, in MB. */
  get peakMemoryMb(): number {
    return this.#peakMemoryMb;
  }

  /** Whether an invocation is under way. */
  get isInvoked(): boolean {
    return this.#invocations > 0;
  }

  /** Starts environments before they are needed. An invocation that finds none idle waits for one of them. */
  prepare(environments: number): Preparation {
    this.#preparing += environments;
    const first = this.#prepareOne();
    const all = first.then(async (end) => {
      const others = await Promise.all(Array.from({ length: environments - 1 }, () => this.#prepareOne()));
      return [end, ...others].find((each) => each !== undefined);
    });
    return { first, all };
  }

  /** Runs one event in an idle environment, or in a new one. Never rejects. */
  async invoke(event: unknown, trace?: string): Promise<InvocationOutcome> {
    this.#invocations++;
    try {
      return await this.#invoke(event, trace);
    } finally {
      this.#invocations--;
    }
  }

  async #invoke(event: unknown, trace: string | undefined): Promise<InvocationOutcome> {
    let environment: ExecutionEnvironment | undefined;
    try {
      environment = await this.#acquire();
    } catch (thrown) {
      // The machine may have no memory for another process.
      const error = `its process could not be started: ${toError(thrown).message}`;
      this.#observer.onFailure(`${this.#configuration.name} crashed: ${error}`);
      return { tag: "crashed", error };
    }
    if (environment === undefined) return { tag: "crashed", error: "the function was closed before it could start" };
    const outcome = await environment.invoke(event, randomUUID(), trace);
    if (outcome.tag !== "returned")
      this.#observer.onFailure(`${this.#configuration.name} ${outcome.tag}: ${outcome.error}`);
    if (environment.alive && outcome.tag !== "timed out") this.#release(environment);
    else this.#all.delete(environment);
    return outcome;
  }

  /** Tells all environments, with SIGTERM, that they are about to end. Invocations under way still answer. */
  shutDown(): void {
    this.#isShutDown = true;
    for (const environment of this.#all) environment.shutDown();
  }

  /** Ends all environments at once. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const environment of this.#all) environment.kill();
    await Promise.all([...this.#all].map((environment) => environment.gone()));
    this.#all.clear();
  }

  /** Starts one environment and makes it idle. @returns how it died, or `undefined`. */
  async #prepareOne(): Promise<string | undefined> {
    try {
      const environment = await this.#start();
      if (environment?.alive === false) return await environment.started();
      if (environment !== undefined) this.#idle.push(environment);
      return undefined;
    } catch (thrown) {
      return toError(thrown).message;
    } finally {
      this.#preparing--;
      this.#waiting.shift()?.();
    }
  }

  async #acquire(): Promise<ExecutionEnvironment | undefined> {
    for (;;) {
      const idle = this.#takeIdle();
      if (idle !== undefined) return idle;
      if (this.#waiting.length >= this.#preparing) return await this.#start();
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #release(environment: ExecutionEnvironment): void {
    environment.freeze();
    this.#idle.push(environment);
    this.#waiting.shift()?.();
  }

  #takeIdle(): ExecutionEnvironment | undefined {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (idle.alive) return idle;
      this.#all.delete(idle);
    }
    return undefined;
  }

  /** Returns `undefined` once the function is closed, because nothing would end an environment that starts later. */
  async #start(): Promise<ExecutionEnvironment | undefined> {
    if (this.#starting >= STARTING_AT_ONCE) await new Promise<void>((resolve) => this.#starts.push(resolve));
    else this.#starting++;
    try {
      if (this.#closed) return undefined;
      const number = this.#counter++;
      const observer: EnvironmentObserver = {
        onActivity: (activity) => this.#observer.onActivity(number, activity),
        onPeakMemory: (megabytes) => {
          this.#peakMemoryMb = Math.max(this.#peakMemoryMb, megabytes);
        },
      };
      const environment = new ExecutionEnvironment(this.#configuration, observer);
      this.#all.add(environment);
      await environment.started();
      if (this.#isShutDown) environment.shutDown();
      return environment;
    } finally {
      // Another start takes the place of this one.
      const next = this.#starts.shift();
      if (next === undefined) this.#starting--;
      else next();
    }
  }
}
