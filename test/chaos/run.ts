import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { check } from "./checker.ts";
import { type Evidence, readServices } from "./evidence.ts";
import { JournalReader, type Line, monotonicMilliseconds } from "./journal.ts";
import { Operator, type OperatorCommand } from "./operator.ts";
import { CALM, type Clock, type Plan, planOf, STORM, type Strike, WORKFLOW } from "./plan.ts";
import type { Command, Endpoints, Report } from "./protocol.ts";
import { Random } from "./random.ts";
import type { Objects } from "./result-checker.ts";
import { CLOCK, clockFile, DIRECTORY, writePlan } from "./settings.ts";
import { StrikeSchedule } from "./strike-schedule.ts";

export interface RunResult {
  readonly seed: number;
  readonly violations: readonly string[];
  /** How often each fault struck. */
  readonly struck: Readonly<Record<string, number>>;
  readonly status: string | undefined;
  readonly items: number;
  readonly attempts: number;
  readonly seconds: number;
  readonly directory: string;
}

const TICK_MILLISECONDS = 20;

/** Faults strike for this time. Afterwards the run must be able to end. */
const STRIKING_MILLISECONDS = 25_000;
/** The same for a run with the timeouts of a deployment: a busy machine must not prevent a kill. */
const STRIKING_IN_REAL_TIME_MILLISECONDS = 75_000;

/** A run that has not ended by then never ends. The longest waits take a minute: a pause, or a clock that is set back. */
const LONGEST_RUN_MILLISECONDS = 180_000;
/** The same with a limit of the rate. With `refill: false`, each invocation waits for its share. */
const LONGEST_LIMITED_RUN_MILLISECONDS = 480_000;

/** The time for duplicates that are left when a run has ended, and might change it. */
const SETTLING_MILLISECONDS = 12_000;

type Role = "producer" | "consumer" | "isolated";

export interface RunOptions {
  readonly plan?: Plan;
  /** How many times as long faults may strike, and the run may take. Default 1, for a machine that does nothing else. */
  readonly patience?: number;
}

/** Runs the plan of a seed in an empty directory, and checks the result. */
export async function runSeed(
  seed: number,
  directory: string,
  { plan = planOf(seed), patience = 1 }: RunOptions = {},
): Promise<RunResult> {
  mkdirSync(directory, { recursive: true });
  await using harness = new Harness(plan, directory, patience);
  return await harness.run();
}

class Harness {
  readonly #seed: number;
  readonly #plan: Plan;
  readonly #directory: string;
  readonly #patience: number;
  readonly #random: Random;
  readonly #journal: JournalReader;
  readonly #log: number;
  readonly #lastSeen = new Map<number, number>();
  readonly #alive = new Map<number, Role>();
  readonly #struck: Record<string, number> = {};
  readonly #history: { status: string; completedAt: string | undefined }[] = [];
  readonly #producerKills: number[] = [];
  /** Producers that have read a page. */
  readonly #readers = new Set<number>();
  readonly #shifts: Record<Clock, number> = { services: 0, functions: 0 };
  readonly #strikes: StrikeSchedule;
  readonly #operator = new Operator({
    now: monotonicMilliseconds,
    skip: (milliseconds) => this.#shift(["services"], milliseconds),
  });
  #engine: ChildProcess | undefined;
  #endpoints: Endpoints | undefined;
  #state: Extract<Report, { type: "state" }> | undefined;
  /** The latest command, and the engine that got it: if this engine is killed, the next one gets the command again. */
  #asked: { readonly engine?: ChildProcess | undefined; readonly command?: OperatorCommand } = {};
  #violations: string[] = [];
  #isCalm = false;

  constructor(plan: Plan, directory: string, patience: number) {
    const { seed } = plan;
    this.#seed = seed;
    this.#plan = plan;
    this.#directory = directory;
    this.#patience = patience;
    this.#random = new Random(seed + 1_000_000);
    this.#journal = new JournalReader(directory);
    this.#log = openSync(join(directory, "engine.log"), "a");
    this.#strikes = new StrikeSchedule({
      strikes: this.#plan.strikes,
      now: monotonicMilliseconds,
      perform: (strike) => this.#perform(strike),
      onStrike: (name) => this.#count(name),
    });
    writePlan(directory, this.#plan);
  }

  async run(): Promise<RunResult> {
    const begun = monotonicMilliseconds();
    const elapsed = () => monotonicMilliseconds() - begun;
    this.#startEngine();
    const { realTimes, rateLimit } = this.#plan;
    const striking = this.#patience * (realTimes ? STRIKING_IN_REAL_TIME_MILLISECONDS : STRIKING_MILLISECONDS);
    const longest =
      this.#patience * (rateLimit === undefined ? LONGEST_RUN_MILLISECONDS : LONGEST_LIMITED_RUN_MILLISECONDS);
    let endedAt: number | undefined;
    for (;;) {
      await setTimeout(TICK_MILLISECONDS);
      this.#look();
      this.#strikes.performDue();
      this.#obeyOperator();
      if (!this.#isCalm && elapsed() > striking) {
        this.#strikes.end();
        this.#calm();
      }
      const { completedAt, handled = false, hasFinalResults = false, messages = 0 } = this.#state ?? {};
      if (completedAt !== undefined) endedAt ??= elapsed();
      const settled = endedAt !== undefined && (messages === 0 || elapsed() > endedAt + SETTLING_MILLISECONDS);
      if (settled && handled && hasFinalResults && this.#engine !== undefined && this.#endpoints !== undefined) break;
      // The engine ended although the harness did not kill it.
      if (this.#violations.length > 0) break;
      if (elapsed() > longest) {
        this.#violations.push(`the run has not ended within ${longest / 1_000} s`);
        break;
      }
    }
    await this.#untilCalm();
    const services = this.#endpoints === undefined ? undefined : await this.#readServices(this.#endpoints);
    await this.#endEngine();
    this.#look();
    if (services !== undefined) this.#violations.push(...check({ ...services, ...this.#evidence() }));
    const { lines } = this.#journal;
    for (const line of lines) if (line.type === "fault") this.#count(line.fault);
    return {
      seed: this.#seed,
      violations: this.#violations,
      struck: this.#struck,
      status: this.#state?.status,
      items: this.#plan.items.length,
      attempts: this.#strikes.attempts,
      seconds: elapsed() / 1_000,
      directory: this.#directory,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#endEngine();
    for (const pid of this.#alive.keys()) signal(pid, "SIGKILL");
    this.#journal.close();
    closeSync(this.#log);
  }

  #evidence(): Omit<Evidence, "rows" | "deadLetters" | "controlDeadLetters"> {
    return {
      plan: this.#plan,
      ...(this.#plan.results === true && { objects: objectsIn(join(this.#directory, WORKFLOW, "results")) }),
      lines: this.#journal.lines,
      lastSeen: this.#lastSeen,
      history: this.#history,
      pauses: this.#operator.pauses,
      cancelled: this.#operator.hasCancelled,
      producerKills: this.#producerKills,
    };
  }

  async #readServices(endpoints: Endpoints) {
    try {
      return await readServices(endpoints);
    } catch (error) {
      this.#violations.push(`the services could not be read: ${error}`);
      return undefined;
    }
  }

  #startEngine(): void {
    const preload = fileURLToPath(new URL("./shifted-clock.ts", import.meta.url));
    const engine = fork(fileURLToPath(new URL("./engine-process.ts", import.meta.url)), [], {
      // The engine and its processes form a group, which can be killed at once.
      detached: true,
      execArgv: ["--no-warnings"],
      env: {
        ...process.env,
        NODE_OPTIONS: `--import=${preload}`,
        [DIRECTORY]: this.#directory,
        [CLOCK]: "services" satisfies Clock,
      },
      stdio: ["ignore", this.#log, this.#log, "ipc"],
    });
    this.#engine = engine;
    engine.on("message", (report: Report) => this.#hear(report));
    engine.once("exit", (code, ending) => {
      if (this.#engine !== engine) return;
      this.#engine = undefined;
      this.#violations.push(`the engine ended by itself (${ending ?? `exit code ${code}`}): ${this.#lastOfLog()}`);
      this.#endpoints = undefined;
    });
  }

  async #endEngine(): Promise<void> {
    const engine = this.#engine;
    if (engine === undefined) return;
    this.#engine = undefined;
    const exited = once(engine, "exit");
    if (engine.connected) engine.send({ type: "end" } satisfies Command, () => {});
    await Promise.race([exited, setTimeout(5_000, undefined, { ref: false })]);
    killGroup(engine);
    await exited;
  }

  #lastOfLog(): string {
    return readFileSync(join(this.#directory, "engine.log"), "utf8").slice(-1_000);
  }

  #hear(report: Report): void {
    if (report.type === "up") this.#endpoints = report.endpoints;
    else if (report.type === "obeyed") this.#noteObeyed(report);
    else {
      this.#state = report;
      const { status, completedAt } = report;
      const last = this.#history.at(-1);
      if (status !== undefined && (last?.status !== status || last.completedAt !== completedAt)) {
        this.#history.push({ status, completedAt });
      }
      // The source failed too often: the person resumes the run.
      if (status === "failed" && completedAt === undefined) this.#operator.resumeFailed();
    }
  }

  #noteObeyed({ command, paused }: Extract<Report, { type: "obeyed" }>): void {
    if (command !== this.#operator.wanted) return;
    this.#asked = {};
    this.#operator.executed(command, paused);
  }

  #send(command: Command): void {
    if (this.#engine?.connected) this.#engine.send(command, () => {});
  }

  /** From now on, no fault strikes. */
  #calm(): void {
    this.#isCalm = true;
    for (const service of ["SQS", "DynamoDB"] as const) this.#send({ type: "rates", service, rates: CALM });
  }

  /** A run may end while faults still strike. They must not strike the harness, which reads the services next. */
  async #untilCalm(): Promise<void> {
    const engine = this.#engine;
    if (!engine?.connected) return;
    const calm = new Promise<void>((resolve) => {
      let left = 2;
      engine.on("message", (report: Report) => {
        if (report.type === "obeyed" && report.command === "rates" && --left === 0) resolve();
      });
    });
    this.#calm();
    await Promise.race([calm, once(engine, "exit")]);
  }

  #obeyOperator(): void {
    this.#operator.look();
    const { wanted } = this.#operator;
    if (wanted === undefined || this.#endpoints === undefined) return;
    if (this.#asked.engine === this.#engine && this.#asked.command === wanted) return;
    this.#asked = { engine: this.#engine, command: wanted };
    this.#send({ type: wanted });
  }

  /** Reads new lines of the journal, and finds out which processes live. */
  #look(): void {
    const now = monotonicMilliseconds();
    for (const line of this.#journal.read()) this.#note(line);
    for (const pid of this.#alive.keys()) {
      if (isAlive(pid)) this.#lastSeen.set(pid, now);
      else this.#alive.delete(pid);
    }
  }

  #note(line: Line): void {
    if (line.type === "process" && line.role !== "engine") {
      this.#alive.set(line.pid, line.role);
      this.#lastSeen.set(line.pid, line.milliseconds);
    }
    if (line.type === "read") this.#readers.add(line.pid);
    this.#strikes.note(line);
  }

  /** @returns whether it struck. Otherwise the strike waits. */
  #perform(strike: Strike): boolean {
    switch (strike.kind) {
      case "kill producer":
        return this.#killOne("producer");
      case "kill consumer":
        return this.#killOne("consumer");
      case "kill isolated":
        return this.#killOne("isolated");
      case "freeze consumer":
        return this.#freezeOne(strike.milliseconds);
      case "kill engine":
      case "kill engine alone":
        return this.#killEngine(strike.kind === "kill engine alone");
      case "storm":
        this.#send({ type: "rates", service: strike.service, rates: STORM });
        void setTimeout(strike.milliseconds).then(() => {
          const rates = this.#isCalm ? CALM : this.#plan.rates[strike.service];
          this.#send({ type: "rates", service: strike.service, rates });
        });
        return true;
      case "clock":
        this.#shift(strike.clocks, strike.milliseconds);
        return true;
      case "cancel":
        return this.#endpoints !== undefined && this.#operator.cancel();
      case "pause":
        return this.#endpoints !== undefined && this.#operator.pause(strike.milliseconds);
    }
  }

  #killOne(role: Role): boolean {
    const candidates = [...this.#alive].filter(([, each]) => each === role).map(([pid]) => pid);
    return this.#killOneOf(
      role,
      candidates.filter((pid) => this.#mayBeKilled(role, pid)),
    );
  }

  /**
   * With real timeouts, a producer that is killed before its first request leaves its message hidden for the control
   * queue's own 180 s. A run here has no time for this, so only producers that have read a page are killed.
   */
  #mayBeKilled(role: Role, pid: number): boolean {
    return role !== "producer" || !this.#plan.realTimes || this.#readers.has(pid);
  }

  #killOneOf(role: Role, candidates: readonly number[]): boolean {
    const victim = candidates[this.#random.integer(0, candidates.length - 1)];
    if (victim === undefined) return false;
    signal(victim, "SIGKILL");
    if (role === "producer") this.#producerKills.push(monotonicMilliseconds());
    this.#alive.delete(victim);
    return true;
  }

  #freezeOne(milliseconds: number): boolean {
    const consumers = [...this.#alive].filter(([, role]) => role === "consumer").map(([pid]) => pid);
    const pid = consumers[this.#random.integer(0, consumers.length - 1)];
    if (pid === undefined) return false;
    signal(pid, "SIGSTOP");
    void setTimeout(milliseconds).then(() => signal(pid, "SIGCONT"));
    return true;
  }

  #killEngine(alone: boolean): boolean {
    const engine = this.#engine;
    // A kill before the run has begun would prove nothing.
    if (engine === undefined || this.#endpoints === undefined) return false;
    this.#engine = undefined;
    this.#endpoints = undefined;
    engine.once("exit", () => this.#startEngine());
    if (alone) engine.kill("SIGKILL");
    else killGroup(engine);
    return true;
  }

  #shift(clocks: readonly Clock[], milliseconds: number): void {
    for (const clock of clocks) {
      this.#shifts[clock] += milliseconds;
      writeFileSync(clockFile(this.#directory, clock), String(this.#shifts[clock]));
    }
  }

  #count(fault: string): void {
    this.#struck[fault] = (this.#struck[fault] ?? 0) + 1;
  }
}

function killGroup({ pid }: ChildProcess): void {
  if (pid !== undefined) signal(-pid, "SIGKILL");
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // The process has ended already.
  }
}

/** Whether a process runs. A zombie process does not. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return process.platform !== "linux";
  }
}

/** The files with the results, by their paths. */
function objectsIn(directory: string): Objects {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  const paths = files.map(({ parentPath, name }) => join(parentPath, name));
  return new Map(paths.map((path) => [relative(directory, path), readFileSync(path, "utf8")]));
}
