import { randomUUID } from "node:crypto";
import { toError } from "../../shared/base/thrown.ts";
import {
  type EnvironmentObserver,
  ExecutionEnvironment,
  type FunctionConfiguration,
  type InvocationOutcome,
} from "./execution-environment.ts";
import type { Activity } from "./runtime-protocol.ts";

/** Of one machine's few cores: more at once start no sooner. */
const STARTING_AT_ONCE = 2;

export interface FunctionObserver {
  /** What the tasks of one of its environments did. `environment` tells them apart. */
  readonly onActivity: (environment: number, activity: Activity) => void;
  readonly onFailure: (error: string) => void;
}

/** A function: environments that are started when they are first needed, kept, and replaced when they die. */
export class LocalFunction {
  readonly #configuration: FunctionConfiguration;
  readonly #observer: FunctionObserver;
  readonly #idle: ExecutionEnvironment[] = [];
  readonly #all = new Set<ExecutionEnvironment>();
  readonly #starts: (() => void)[] = [];
  #closed = false;
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

  /**
   * Starts so many environments before they are needed.
   *
   * @returns how one of them died over it, or `undefined` where all live.
   */
  async warm(environments: number): Promise<string | undefined> {
    const started = await Promise.all(Array.from({ length: environments }, () => this.#start()));
    const present = started.filter((environment) => environment !== undefined);
    this.#idle.push(...present.filter(({ alive }) => alive));
    const ends = await Promise.all(present.filter(({ alive }) => !alive).map((dead) => dead.started()));
    return ends[0];
  }

  /** Runs one event in an idle environment, or in a new one. Never rejects. */
  async invoke(event: unknown): Promise<InvocationOutcome> {
    let environment: ExecutionEnvironment | undefined;
    try {
      environment = this.#takeIdle() ?? (await this.#start());
    } catch (thrown) {
      // This machine has no memory for another process.
      const error = `its process could not be started: ${toError(thrown).message}`;
      this.#observer.onFailure(`${this.#configuration.name} crashed: ${error}`);
      return { tag: "crashed", error };
    }
    if (environment === undefined) return { tag: "crashed", error: "the function was closed before it could start" };
    const outcome = await environment.invoke(event, randomUUID());
    if (outcome.tag !== "returned")
      this.#observer.onFailure(`${this.#configuration.name} ${outcome.tag}: ${outcome.error}`);
    if (environment.alive && outcome.tag !== "timed out") this.#idle.push(environment);
    else this.#all.delete(environment);
    return outcome;
  }

  /** Ends all environments at once. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const environment of this.#all) environment.kill();
    await Promise.all([...this.#all].map((environment) => environment.gone()));
    this.#all.clear();
  }

  #takeIdle(): ExecutionEnvironment | undefined {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (idle.alive) return idle;
      this.#all.delete(idle);
    }
    return undefined;
  }

  /** `undefined` once the function is closed: nobody would end an environment that starts after it. */
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
      return environment;
    } finally {
      // The place is handed on, or given back.
      const next = this.#starts.shift();
      if (next === undefined) this.#starting--;
      else next();
    }
  }
}
