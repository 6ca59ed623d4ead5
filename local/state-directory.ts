import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { SluiceError, toError } from "../shared/errors.ts";
import { ProcessLock } from "./process-lock.ts";

/** Where the embedded engine keeps what must outlive it. */
export const STATE_ROOT = ".sluice";

/** Where the services of a running engine listen. */
export interface Endpoints {
  readonly sqs: string;
  readonly dynamoDb: string;
}

/** How a workflow was run last. */
export interface Origin {
  readonly workflow: string;
  /** The workflow's file, and what the user typed for it. */
  readonly file: string;
  readonly name: string;
  readonly concurrency?: number | undefined;
  /** The run that was begun: its start message may not have been sent, should the command have died before. */
  readonly run: string;
  readonly limit?: number | undefined;
}

interface Lock {
  readonly pid: number;
  readonly endpoints?: Endpoints;
}

/**
 * What the engine keeps of one workflow: queues, ledger, bundles, logs. One engine at a time works in it.
 */
export class StateDirectory {
  readonly path: string;
  readonly #processLock: ProcessLock;

  constructor(workflow: string, root: string = resolve(STATE_ROOT)) {
    this.path = join(root, workflow);
    this.#processLock = new ProcessLock(join(this.path, "engine.lock"));
  }

  /** The directories in which workflows were run here, the latest first. */
  static all(root: string = resolve(STATE_ROOT)): readonly StateDirectory[] {
    if (!existsSync(root)) return [];
    return readdirSync(root)
      .map((workflow) => new StateDirectory(workflow, root))
      .filter(({ origin }) => origin !== undefined)
      .sort((a, b) => statSync(b.#origin).mtimeMs - statSync(a.#origin).mtimeMs);
  }

  get exists(): boolean {
    return existsSync(this.queues);
  }

  get queues(): string {
    return join(this.path, "queues.db");
  }

  get tables(): string {
    return join(this.path, "tables");
  }

  get bundles(): string {
    return join(this.path, "bundles");
  }

  get logs(): string {
    return join(this.path, "logs");
  }

  get #lock(): string {
    return join(this.path, "engine.json");
  }

  get #origin(): string {
    return join(this.path, "workflow.json");
  }

  /**
   * Takes the directory for this process.
   *
   * @throws {SluiceError} `ENGINE_RUNNING`: another engine works in it. `STATE_UNWRITABLE`: it cannot be written.
   */
  lock(): void {
    const taken = this.#writing(() => {
      for (const directory of [this.path, this.bundles, this.logs]) mkdirSync(directory, { recursive: true });
      return this.#processLock.take();
    });
    if (!taken) throw this.#taken();
    this.#writing(() => this.#write(this.#lock, { pid: process.pid }));
  }

  #writing<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      throw new SluiceError(
        "STATE_UNWRITABLE",
        `${this.path}, where queues and ledger are kept, cannot be written: ${toError(cause).message}. Run the command in a ` +
          "directory that is yours, or mend that one's rights",
        { cause },
      );
    }
  }

  #taken(): SluiceError {
    const holder = this.holder();
    const engine = holder === undefined ? "another engine" : `an engine (process ${holder})`;
    return new SluiceError("ENGINE_RUNNING", `${engine} works in ${this.path}: wait until it is done, or end it first`);
  }

  /** Tells other processes where the services of the engine that holds the lock are. */
  announce(endpoints: Endpoints): void {
    this.#write(this.#lock, { pid: process.pid, endpoints });
  }

  unlock(): void {
    rmSync(this.#lock, { force: true });
    this.#processLock.release();
  }

  /** The process that works in it, if it lives. */
  holder(): number | undefined {
    const lock = this.#read<Lock>(this.#lock);
    return lock !== undefined && lock.pid !== process.pid && isAlive(lock.pid) ? lock.pid : undefined;
  }

  /** The services of the engine that works in it, if one does. */
  endpoints(): Endpoints | undefined {
    return this.holder() === undefined ? undefined : this.#read<Lock>(this.#lock)?.endpoints;
  }

  /** Keeps how the workflow was run, for commands that are told only to go on. */
  remember(origin: Origin): void {
    this.#write(this.#origin, origin);
  }

  get origin(): Origin | undefined {
    return this.#read<Origin>(this.#origin);
  }

  // Written beside and renamed: whoever reads it sees all of it or what was before.
  #write(file: string, content: unknown): void {
    const draft = `${file}.${process.pid}`;
    writeFileSync(draft, JSON.stringify(content));
    renameSync(draft, file);
  }

  #read<Content>(file: string): Content | undefined {
    return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Content) : undefined;
  }

  /**
   * Drops all state: runs, messages, dead letters.
   *
   * @throws {SluiceError} `ENGINE_RUNNING`, `STATE_UNWRITABLE`
   */
  drop(): void {
    if (!existsSync(this.path)) return;
    if (!this.#writing(() => this.#processLock.take())) throw this.#taken();
    this.#writing(() => rmSync(this.path, { recursive: true, force: true }));
    this.#processLock.release();
  }

  logFile(name: string): string {
    return join(this.logs, `${name}.log`);
  }

  /** Opens a function's log, emptied. */
  openLog(name: string): { readonly descriptor: number; close(): void } {
    const descriptor = openSync(this.logFile(name), "w");
    return { descriptor, close: () => closeSync(descriptor) };
  }
}

/** Whether a process has died, and its parent has not looked yet: it works no more. */
function isZombie(pid: number): boolean {
  try {
    // https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: its name, in brackets, may hold anything.
    return /^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    // There is no /proc on this system.
    return false;
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    // It lives, as somebody else's.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
