import { setTimeout } from "node:timers/promises";
import { type Engine, startEngine } from "../../local/engine.ts";
import { startEntry } from "../../shared/messages/control.ts";
import { type Companion, startCompanion } from "../targets/workflow-file.ts";
import { RunWatch } from "./followed-runs.ts";
import { type PreparedVersion, removeBundles } from "./prepare-version.ts";
import type { FromVersion, RequestedRun, VersionInput } from "./protocol.ts";

/** How often the runs are looked at while one is under way, and while none is. */
const BUSY_MILLISECONDS = 200;
const IDLE_MILLISECONDS = 1_000;

export interface DevEngineOptions extends VersionInput {
  readonly version: PreparedVersion;
  /** Runs that had not ended when an earlier version ended. */
  readonly expected: readonly string[];
  readonly tell: (message: FromVersion) => void;
}

/** The engine of one version, with the runs that it works on. */
export class DevEngine {
  readonly #options: DevEngineOptions;
  readonly #engine: Engine;
  readonly #companion: Companion;
  readonly #watch: RunWatch;
  readonly #over = new AbortController();
  #looking: Promise<void> = Promise.resolve();
  /** Aborted when a run is requested, so that its begin is told soon. */
  #requested = new AbortController();

  private constructor(options: DevEngineOptions, engine: Engine, companion: Companion) {
    this.#options = options;
    this.#engine = engine;
    this.#companion = companion;
    const { version, tell } = options;
    this.#watch = new RunWatch({ engine, state: version.state, ceiling: version.topology.concurrency, tell });
  }

  /**
   * Starts the engine on the state that an earlier version or command left, and continues what is pending.
   *
   * @throws {SluiceError} `ENGINE_RUNNING`: another command uses the state. `FUNCTION_FAILED`: the functions cannot start.
   */
  static async start(options: DevEngineOptions): Promise<DevEngine> {
    const { version, file, companion } = options;
    const { workflow, topology, state, bundles } = version;
    const started = await startCompanion(companion);
    let engine: Engine | undefined;
    try {
      const variables = started.environment;
      engine = await startEngine({ workflow, workflowFile: file, topology, state, bundles, variables });
      await engine.ready();
      const running = new DevEngine(options, engine, started);
      await running.#begin();
      return running;
    } catch (error) {
      await engine?.close();
      await started.close();
      throw error;
    }
  }

  async #begin(): Promise<void> {
    const { version, expected, file, name, tell } = this.#options;
    tell({ type: "ready" });
    const { origin } = version.state;
    if (origin !== undefined) version.state.remember({ ...origin, file, name, directory: process.cwd() });
    for (const run of expected) this.#watch.expect(run, true);
    // The counts are read before the runs can continue.
    await this.#watch.check();
    this.#engine.deliver();
    this.#looking = this.#look();
  }

  /** Sends the message that starts a run. */
  async request({ run, requestedAt, scheduled }: RequestedRun): Promise<void> {
    const { version, file, name, items: limit } = this.#options;
    const workflow = version.workflow.name;
    version.state.remember({ workflow, file, name, directory: process.cwd(), run, limit });
    this.#watch.expect(run);
    await this.#engine.controlQueue.sendControl(
      startEntry({
        workflow,
        run,
        requestedAt,
        ...(scheduled === true && { scheduled }),
        ...(limit !== undefined && { limit }),
      }),
    );
    this.#requested.abort();
  }

  async #look(): Promise<void> {
    const { signal } = this.#over;
    while (!signal.aborted) {
      await this.#watch.check();
      const wait = this.#watch.isBusy ? BUSY_MILLISECONDS : IDLE_MILLISECONDS;
      this.#requested = new AbortController();
      const woken = AbortSignal.any([signal, this.#requested.signal]);
      await setTimeout(wait, undefined, { signal: woken }).catch(() => {});
    }
  }

  /**
   * Starts no more attempts, and ends when those in flight have ended. What has not ended after `milliseconds` is handed
   * back: the next engine receives its messages again.
   */
  async stop(milliseconds: number | undefined): Promise<void> {
    const drained = this.#engine.drain();
    await (milliseconds === undefined ? drained : Promise.race([drained, setTimeout(milliseconds)]));
    this.#over.abort();
    await this.#looking;
    await this.#watch.check();
    await this.#engine.close();
    await this.#companion.close();
    removeBundles(this.#options.version.state);
  }
}
