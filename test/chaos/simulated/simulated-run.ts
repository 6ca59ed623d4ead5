import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { continueRun } from "../../../cli/runs/continue-run.ts";
import type { Row } from "../../../shared/aws/table.ts";
import { startEntry } from "../../../shared/messages/control.ts";
import { MemoryObjectStore } from "../../helpers/memory-object-store.ts";
import { check } from "../checker.ts";
import { Operator, type OperatorCommand } from "../operator.ts";
import { CALM, type Clock, type Plan, planOf, RUN, STORM, type Strike, WORKFLOW } from "../plan.ts";
import { Random } from "../random.ts";
import type { RunResult } from "../run.ts";
import { StrikeSchedule } from "../strike-schedule.ts";
import { StruckFaults } from "../struck-faults.ts";
import { SimulatedEngine, type World } from "./simulated-engine.ts";
import { type Role, SimulatedJournal, type SimulatedProcess } from "./simulated-process.ts";
import { SimulatedTable } from "./simulated-table.ts";
import { VirtualTime } from "./virtual-time.ts";

const TICK_MILLISECONDS = 20;
/** Faults strike for this time. Afterwards the run must be able to end. */
const STRIKING_MILLISECONDS = 25_000;
const STRIKING_IN_REAL_TIME_MILLISECONDS = 75_000;
/** A run that has not ended by then never ends. */
const LONGEST_RUN_MILLISECONDS = 240_000;
/** The same with a limit of the rate. With `refill: false`, each invocation waits for its share. */
const LONGEST_LIMITED_RUN_MILLISECONDS = 480_000;
/** The time for duplicates that are left when a run has ended, and might change it. */
const SETTLING_MILLISECONDS = 12_000;
/** How long another engine takes to start after one was killed: at least, and how much longer at most. */
const RESTART = { least: 300, more: 1_200 };
const COMMAND_AGAIN_MILLISECONDS = 100;
/** Its run has each kind of process. */
const WARM_UP_SEED = 1;

/**
 * The plan of a seed, as it is simulated: every second seed has its messages delivered in random order throughout, as SQS
 * promises no order on a standard queue.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues.html
 */
export function simulatedPlanOf(seed: number): Plan {
  // Three of four seeds keep results.
  const plan = { ...planOf(seed), results: seed % 4 !== 0 };
  const { SQS, DynamoDB } = plan.rates;
  return seed % 2 === 0 ? { ...plan, rates: { SQS: { ...SQS, reorder: 1 }, DynamoDB } } : plan;
}

/** The plan of a seed whose run keeps results, in an object store with faults of every kind and times in which it hardly works. */
export function resultsPlanOf(seed: number): Plan {
  const plan = simulatedPlanOf(seed);
  const random = new Random(seed + 3_000_000);
  const rate = (most: number) => random.next() * most;
  const S3 = { ...CALM, throttle: rate(0.1), failure: rate(0.1), timeout: rate(0.03), lost: rate(0.1) };
  const objectStorms = Array.from({ length: random.integer(0, 3) }, () => ({
    at: random.integer(500, 15_000),
    milliseconds: random.integer(300, 4_000),
  }));
  return { ...plan, results: true, rates: { ...plan.rates, S3 }, objectStorms };
}

let warmedUp: Promise<unknown> | undefined;

/**
 * Runs the plan of a seed in virtual time, in this process. The code of the functions and of the queues is the product's own.
 * The table is in memory. A seed always does the same, step by step.
 */
export async function simulateSeed(seed: number, plan: Plan = simulatedPlanOf(seed)): Promise<RunResult> {
  // The first run of a process also waits for modules that load in real time, so its steps may come in another order.
  warmedUp ??= simulate(planOf(WARM_UP_SEED));
  await warmedUp;
  return await simulate(plan);
}

async function simulate(plan: Plan): Promise<RunResult> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-simulated-"));
  const time = new VirtualTime();
  const drawn = Math.random;
  try {
    const run = new SimulatedRun(plan, time, join(directory, "queues.sqlite"));
    // The SDK draws the waits between its retries.
    Math.random = run.draw;
    const result = await time.until(run.run());
    return { ...result, directory };
  } finally {
    Math.random = drawn;
    time.uninstall();
    rmSync(directory, { recursive: true, force: true });
  }
}

class SimulatedRun {
  readonly #plan: Plan;
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #world: World;
  readonly #begun: number;
  readonly #alive = new Set<SimulatedProcess>();
  readonly #lastSeen = new Map<number, number>();
  readonly #struck: Record<string, number> = {};
  readonly #history: { status: string; completedAt: string | undefined }[] = [];
  readonly #producerKills: number[] = [];
  readonly #strikes: StrikeSchedule;
  readonly #operator: Operator;
  readonly #objects = new MemoryObjectStore();
  #serviceShift = 0;
  #row: Row | undefined;
  #engine: SimulatedEngine | undefined;
  #isObeying = false;
  readonly #violations: string[] = [];

  constructor(plan: Plan, time: VirtualTime, file: string) {
    this.#plan = plan;
    this.#time = time;
    this.#begun = time.now();
    this.#random = new Random(plan.seed + 2_000_000);
    const now = () => time.now();
    this.#strikes = new StrikeSchedule({
      strikes: plan.strikes,
      now,
      perform: (strike) => this.#perform(strike),
      onStrike: (name) => this.#count(name),
    });
    this.#operator = new Operator({ now, skip: (milliseconds) => this.#shift(["services"], milliseconds) });
    const table = new SimulatedTable();
    table.onUpdate = (row) => this.#noteRow(row);
    const journal = new SimulatedJournal(now);
    journal.onLine = (line) => this.#strikes.note(line);
    const count = (service: string) => (fault: string) => this.#count(`${service} ${fault}`);
    this.#world = {
      plan,
      file,
      table,
      journal,
      objects: this.#objects,
      random: this.#random,
      faults: {
        SQS: new StruckFaults(plan.seed, plan.rates.SQS, count("SQS")),
        DynamoDB: new StruckFaults(plan.seed + 1, plan.rates.DynamoDB, count("DynamoDB")),
        S3: new StruckFaults(plan.seed + 2, objectRatesOf(plan), count("S3")),
      },
      serviceClock: () => time.now() + this.#serviceShift,
      onProcess: (process) => this.#noteProcess(process),
    };
  }

  readonly draw = (): number => this.#random.next();

  async run(): Promise<Omit<RunResult, "directory">> {
    const elapsed = () => this.#time.now() - this.#begun;
    this.#startEngine();
    void this.#start();
    for (const storm of this.#plan.objectStorms ?? []) void this.#objectStorm(storm);
    const striking = this.#plan.realTimes ? STRIKING_IN_REAL_TIME_MILLISECONDS : STRIKING_MILLISECONDS;
    const longest = this.#plan.rateLimit === undefined ? LONGEST_RUN_MILLISECONDS : LONGEST_LIMITED_RUN_MILLISECONDS;
    let calm = false;
    let endedAt: number | undefined;
    for (;;) {
      await setTimeout(TICK_MILLISECONDS);
      this.#strikes.performDue();
      this.#operator.look();
      if (this.#operator.wanted !== undefined && !this.#isObeying) void this.#obey(this.#operator.wanted);
      if (!calm && elapsed() > striking) {
        calm = true;
        this.#strikes.end();
        for (const service of Object.values(this.#world.faults)) service.setRates(CALM);
      }
      if (this.#row?.completedAt !== undefined) endedAt ??= elapsed();
      const isHandled = this.#row?.completionHandledAt !== undefined && this.#areResultsFinal;
      const engine = this.#engine;
      if (endedAt !== undefined && isHandled && engine !== undefined) {
        if (engine.messages === 0 || elapsed() > endedAt + SETTLING_MILLISECONDS) break;
      }
      if (elapsed() > longest) {
        this.#violations.push(`the run has not ended within ${longest / 1_000} s`);
        break;
      }
    }
    const rows = await this.#world.table.all();
    const deadLetters = (await this.#engine?.drain("deadLetterQueue")) ?? [];
    const controlDeadLetters = (await this.#engine?.drain("controlDeadLetterQueue")) ?? [];
    this.#engine?.kill(false);
    const { lines } = this.#world.journal;
    const objects = new Map([...this.#objects.objects].map(([key, body]) => [key, Buffer.from(body).toString()]));
    const evidence = {
      plan: this.#plan,
      ...(this.#plan.results === true && { objects }),
      lines,
      lastSeen: this.#lastSeen,
      history: this.#history,
      pauses: this.#operator.pauses,
      cancelled: this.#operator.hasCancelled,
      producerKills: this.#producerKills,
    };
    this.#violations.push(...check({ ...evidence, rows, deadLetters, controlDeadLetters }));
    return {
      seed: this.#plan.seed,
      violations: this.#violations,
      struck: this.#struck,
      status: String(this.#row?.status),
      items: this.#plan.items.length,
      attempts: this.#strikes.attempts,
      seconds: elapsed() / 1_000,
    };
  }

  /** Whether the run's results are compacted, if it keeps any. */
  get #areResultsFinal(): boolean {
    if (this.#plan.results !== true) return true;
    const { manifest = 0, compactionsAsked = 0, compactionsDone = 0 } = this.#row ?? {};
    return Number(manifest) > 0 && Number(compactionsAsked) <= Number(compactionsDone);
  }

  #startEngine(): void {
    this.#engine = new SimulatedEngine(this.#world);
  }

  /** Starts the run, as a person would: a command that fails is repeated. */
  async #start(): Promise<void> {
    const requestedAt = new Date(this.#time.now()).toISOString();
    const entry = startEntry({ workflow: WORKFLOW, run: RUN, requestedAt });
    await this.#untilItWorks(async ({ services }) => {
      if ((await services.runs.find(RUN)) === undefined) await services.controlQueue.sendControl(entry);
    });
  }

  /** Repeats a command until it succeeds, also if its engine is killed. */
  async #untilItWorks<Result>(command: (engine: SimulatedEngine) => Promise<Result>): Promise<Result> {
    for (;;) {
      const engine = this.#engine;
      if (engine !== undefined) {
        const gone = new Promise<undefined>((resolve) =>
          engine.gone.addEventListener("abort", () => resolve(undefined)),
        );
        const done = command(engine).then(
          (result) => ({ result }),
          () => undefined,
        );
        const outcome = await Promise.race([done, gone]);
        if (outcome !== undefined) return outcome.result;
      }
      await setTimeout(COMMAND_AGAIN_MILLISECONDS);
    }
  }

  #noteRow(row: Row): void {
    if (row.pk !== `run#${RUN}` || row.sk !== "run") return;
    this.#row = row;
    const status = String(row.status);
    const completedAt = row.completedAt === undefined ? undefined : String(row.completedAt);
    const last = this.#history.at(-1);
    if (last?.status !== status || last.completedAt !== completedAt) this.#history.push({ status, completedAt });
    // The source failed too often: the person resumes the run.
    if (status === "failed" && completedAt === undefined) this.#operator.resumeFailed();
  }

  #noteProcess(process: SimulatedProcess): void {
    if (process.role !== "engine") this.#alive.add(process);
    process.gone.addEventListener("abort", () => {
      this.#alive.delete(process);
      this.#lastSeen.set(process.pid, this.#time.now());
    });
  }

  async #obey(command: OperatorCommand): Promise<void> {
    this.#isObeying = true;
    const hasPaused = await this.#untilItWorks(async ({ services: { runs, controlQueue } }) => {
      if (command === "pause") return (await runs.pause(RUN)) !== undefined;
      if (command === "cancel") await runs.cancel(RUN);
      else await runs.reopen(RUN);
      await continueRun(controlQueue, await runs.get(RUN));
      return false;
    });
    this.#isObeying = false;
    this.#operator.executed(command, hasPaused);
  }

  async #objectStorm({ at, milliseconds }: { readonly at: number; readonly milliseconds: number }): Promise<void> {
    const { S3 } = this.#world.faults;
    await setTimeout(at);
    S3.setRates(STORM);
    this.#count("storm of S3");
    await setTimeout(milliseconds);
    S3.setRates(objectRatesOf(this.#plan));
  }

  /** @returns whether it struck. Otherwise the strike waits. */
  #perform(strike: Strike): boolean {
    switch (strike.kind) {
      case "kill producer":
      case "kill consumer":
      case "kill isolated":
        return this.#killOne(strike.kind.slice("kill ".length) as Role);
      case "freeze consumer":
        return this.#freezeOne(strike.milliseconds);
      case "kill engine":
      case "kill engine alone":
        return this.#killEngine(strike.kind === "kill engine alone");
      case "storm": {
        const service = this.#world.faults[strike.service];
        service.setRates(STORM);
        void setTimeout(strike.milliseconds).then(() => service.setRates(this.#plan.rates[strike.service]));
        return true;
      }
      case "clock":
        this.#shift(strike.clocks, strike.milliseconds);
        return true;
      case "cancel":
        return this.#row !== undefined && this.#operator.cancel();
      case "pause":
        return this.#row !== undefined && this.#operator.pause(strike.milliseconds);
    }
  }

  /**
   * With real timeouts, a producer is killed only after it has read a page, and has shortened the time for which its message
   * is hidden. Before that, its message stays hidden for the control queue's own 180 s.
   */
  #killOne(role: Role): boolean {
    const mayBeKilled = ({ hasRead, hasChangedVisibility }: SimulatedProcess) =>
      role !== "producer" || !this.#plan.realTimes || (hasRead && hasChangedVisibility);
    const candidates = [...this.#alive].filter((process) => process.role === role && mayBeKilled(process));
    const victim = candidates[this.#random.integer(0, candidates.length - 1)];
    if (victim === undefined) return false;
    victim.kill();
    if (role === "producer") this.#producerKills.push(this.#time.now());
    return true;
  }

  #freezeOne(milliseconds: number): boolean {
    const consumers = [...this.#alive].filter(({ role }) => role === "consumer");
    const victim = consumers[this.#random.integer(0, consumers.length - 1)];
    victim?.freezeRequests(milliseconds);
    return victim !== undefined;
  }

  #killEngine(alone: boolean): boolean {
    const engine = this.#engine;
    if (engine === undefined) return false;
    this.#engine = undefined;
    engine.kill(alone);
    void setTimeout(RESTART.least + this.#random.next() * RESTART.more).then(() => this.#startEngine());
    return true;
  }

  #shift(clocks: readonly Clock[], milliseconds: number): void {
    if (clocks.includes("functions")) this.#time.shiftMilliseconds += milliseconds;
    if (!clocks.includes("services")) return;
    this.#serviceShift += milliseconds;
    this.#engine?.clockChanged();
  }

  #count(fault: string): void {
    this.#struck[fault] = (this.#struck[fault] ?? 0) + 1;
  }
}

const objectRatesOf = ({ rates }: Plan) => rates.S3 ?? rates.DynamoDB;
