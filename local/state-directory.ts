import {
  chmodSync,
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
import { SluiceError, toError } from "../shared/base/errors.ts";
import { awsConfig } from "./access/engine-access.ts";
import { ProcessLock } from "./process-lock.ts";

/** Where the embedded engine keeps what must outlive it. */
export const STATE_ROOT = ".sluice";

const HOLDER = "engine.json";
const ENGINE_LOCK = "engine.lock";
const GUESTS_LOCK = "guests.lock";
const AWS_CONFIG = "aws-config";
const STATE = "state.json";

/**
 * The version of what a state directory holds: its files, the queues' database, the tables. A directory without a
 * version is of version 1: those before had none. See `docs/internals/versions.md`.
 */
const STATE_VERSION = 1;

/** Only the user may see what is in a state directory: its files hold the key of the engine's servers, and items. */
const PRIVATE_DIRECTORY = 0o700;
const PRIVATE_FILE = 0o600;

/** What outlives all other state: locks, which must stay the same files, and who holds them. */
const KEPT = new Set([HOLDER, ENGINE_LOCK, GUESTS_LOCK, STATE]);

/** Where the services of a running engine listen, and the key that they ask for. */
export interface Endpoints {
  readonly sqs: string;
  readonly dynamoDb: string;
  /** A secret. It must not be logged. */
  readonly accessKeyId: string;
}

/** What is said of the directory itself. */
interface State {
  readonly version: number;
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

/**
 * What a directory is held for: by an engine that works in it, or by a command that only looks into it or changes what
 * lies there.
 */
export type Use = "engine" | "look";

/** The process that holds a directory. */
export interface Holder {
  readonly pid: number;
  readonly use: Use;
  /** Its services, once they listen. */
  readonly endpoints?: Endpoints;
}

/**
 * What the engine keeps of one workflow: queues, ledger, bundles, logs. One engine at a time works in it.
 */
export class StateDirectory {
  readonly path: string;
  readonly #lock: ProcessLock;
  readonly #guests: ProcessLock;

  constructor(workflow: string, root: string = resolve(STATE_ROOT)) {
    this.path = join(root, workflow);
    this.#lock = new ProcessLock(join(this.path, ENGINE_LOCK));
    this.#guests = new ProcessLock(join(this.path, GUESTS_LOCK));
  }

  /** The directories in which workflows were run here, the latest first. */
  static all(root: string = resolve(STATE_ROOT)): readonly StateDirectory[] {
    if (!existsSync(root)) return [];
    return usable(root, () => readdirSync(root))
      .map((workflow) => new StateDirectory(workflow, root))
      .filter(({ origin }) => origin !== undefined)
      .sort((a, b) => b.#originWrittenAt - a.#originWrittenAt);
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

  /** For the AWS CLI: the services of the process that holds the directory, as a configuration file. */
  get awsConfig(): string {
    return join(this.path, AWS_CONFIG);
  }

  get #holder(): string {
    return join(this.path, HOLDER);
  }

  get #originWrittenAt(): number {
    // Another command may drop it meanwhile.
    return statSync(this.#origin, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  }

  get #origin(): string {
    return join(this.path, "workflow.json");
  }

  /**
   * Takes the directory for this process, unless another one has it.
   *
   * @returns whether it has it now.
   * @throws {SluiceError} `STATE_UNUSABLE`: it cannot be written.
   * @throws {SluiceError} `STATE_NEWER`: a newer version of Sluice wrote it.
   */
  lock(use: Use): boolean {
    this.#refuseNewer();
    return usable(this.path, () => {
      mkdirSync(this.path, { recursive: true, mode: PRIVATE_DIRECTORY });
      // It may have been made by an earlier version, or by the user.
      chmodSync(this.path, PRIVATE_DIRECTORY);
      if (!this.#lock.take()) return false;
      this.#forgetServices();
      this.#write(this.#holder, { pid: process.pid, use } satisfies Holder);
      this.#makeDirectories();
      this.#write(join(this.path, STATE), { version: STATE_VERSION } satisfies State);
      return true;
    });
  }

  /** Tells other processes where the services are of this one, which has the lock. */
  announce(use: Use, endpoints: Endpoints): void {
    this.#write(this.#holder, { pid: process.pid, use, endpoints } satisfies Holder);
    this.#writeText(this.awsConfig, awsConfig(endpoints));
  }

  /** Their key is of no use without them. */
  #forgetServices(): void {
    rmSync(this.awsConfig, { force: true });
  }

  /**
   * Lets no others come to the services of this process, which has the lock.
   *
   * @returns whether all that came have left.
   */
  retire(use: Use): boolean {
    // Somebody may have removed it all.
    if (!existsSync(this.path)) return true;
    this.#write(this.#holder, { pid: process.pid, use } satisfies Holder);
    this.#forgetServices();
    const alone = this.#guests.take();
    this.#guests.release();
    return alone;
  }

  unlock(): void {
    rmSync(this.#holder, { force: true });
    this.#forgetServices();
    this.#lock.release();
  }

  /**
   * Comes to the services of the process that holds the directory. They stay until this one leaves.
   *
   * @returns `undefined` where there are none.
   * @throws {SluiceError} `STATE_UNUSABLE`
   * @throws {SluiceError} `STATE_NEWER`: a newer version of Sluice wrote it.
   */
  visit(): { readonly endpoints: Endpoints; leave(): void } | undefined {
    this.#refuseNewer();
    if (this.holder()?.endpoints === undefined) return undefined;
    const guest = new ProcessLock(join(this.path, GUESTS_LOCK));
    // Who retires looks for guests just now.
    if (!usable(this.path, () => guest.share())) return undefined;
    // Only now they are sure to stay.
    const endpoints = this.holder()?.endpoints;
    if (endpoints === undefined) {
      guest.release();
      return undefined;
    }
    return { endpoints, leave: () => guest.release() };
  }

  /** The other process that holds it, if one does. */
  holder(): Holder | undefined {
    const holder = this.#read<Holder>(this.#holder);
    if (holder === undefined || holder.pid === process.pid) return undefined;
    if (!usable(this.path, () => this.#lock.isTaken)) return undefined;
    // Who has it since a moment has not written yet that it is no longer that of a process which was killed.
    return isAlive(holder.pid) ? holder : undefined;
  }

  /** The error that another process holds it. */
  taken(): SluiceError {
    const { pid, use } = this.holder() ?? {};
    const what = use === "look" ? "another command" : "an engine";
    const process = pid === undefined ? "" : ` (process ${pid})`;
    return new SluiceError(
      "ENGINE_RUNNING",
      `${what}${process} works in ${this.path}: wait until it is done, or end it first`,
    );
  }

  /** Keeps how the workflow was run, for commands that are told only to go on. */
  remember(origin: Origin): void {
    this.#write(this.#origin, origin);
  }

  get origin(): Origin | undefined {
    return this.#read<Origin>(this.#origin);
  }

  #refuseNewer(): void {
    const version = this.#read<State>(join(this.path, STATE))?.version ?? STATE_VERSION;
    if (version <= STATE_VERSION) return;
    throw new SluiceError(
      "STATE_NEWER",
      `${this.path} has version ${version} of the state, and this version of Sluice reads versions up to ` +
        `${STATE_VERSION}: use the version that wrote it or a later one (npm install sluice@latest), or move the ` +
        "directory away to begin without its runs and dead letters",
    );
  }

  // Written beside and renamed: whoever reads it sees all of it or what was before.
  #write(file: string, content: unknown): void {
    this.#writeText(file, JSON.stringify(content));
  }

  #writeText(file: string, text: string): void {
    const draft = `${file}.${process.pid}`;
    // The mode counts only for a file that is not there.
    rmSync(draft, { force: true });
    writeFileSync(draft, text, { mode: PRIVATE_FILE });
    renameSync(draft, file);
  }

  #read<Content>(file: string): Content | undefined {
    try {
      return JSON.parse(readFileSync(file, "utf8")) as Content;
    } catch (error) {
      // Whoever wrote it may remove it at any moment.
      if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
      throw error;
    }
  }

  /** Drops all state: runs, messages, dead letters. Only who has the lock may do so. */
  clear(): void {
    usable(this.path, () => {
      for (const name of readdirSync(this.path)) {
        if (!KEPT.has(name)) rmSync(join(this.path, name), { recursive: true, force: true });
      }
      this.#makeDirectories();
    });
  }

  #makeDirectories(): void {
    for (const directory of [this.bundles, this.logs]) mkdirSync(directory, { recursive: true });
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

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It lives, as somebody else's.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** @throws {SluiceError} `STATE_UNUSABLE`, where `work` in a directory fails. */
function usable<T>(directory: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new SluiceError(
      "STATE_UNUSABLE",
      `${directory}, where queues and ledger are kept, cannot be used: ${toError(cause).message}. Run the command in a ` +
        "directory that is yours, or mend that one",
      { cause },
    );
  }
}
