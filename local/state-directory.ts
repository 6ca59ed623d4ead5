import {
  chmodSync,
  existsSync,
  mkdirSync,
  opendirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { SluiceError } from "../shared/base/errors.ts";
import { writerOfDraft } from "../shared/results/file-object-store.ts";
import { awsConfig } from "./access/engine-access.ts";
import { BoundedLog } from "./bounded-log.ts";
import { digestsOf, type FileDigests } from "./integrity/file-digests.ts";
import { immutable, verifyState } from "./integrity/verify-state.ts";
import { ProcessLock } from "./process-lock.ts";
import { stateError, usable } from "./state-failure.ts";
import { stateRoot } from "./state-root.ts";

const OWNER = "engine.json";
const ENGINE_LOCK = "engine.lock";
/**
 * The lock that is shared by all processes that use the services of the lock owner. Its file keeps this name, because
 * processes of different versions of Sluice must find the same file.
 */
const SERVICE_USERS_LOCK = "guests.lock";
const AWS_CONFIG = "aws-config";
const STATE = "state.json";
const QUEUES = "queues.db";
const TABLES = "tables";

/**
 * The version of a state directory's content: its files, the database of the queues, the tables. A directory without a
 * version has version 1, because the first versions of Sluice wrote none. See `docs/internals/versions.md`.
 */
const STATE_VERSION = 1;

/** Only the user may read a state directory: its files hold the key of the engine's servers, and items. */
const PRIVATE_DIRECTORY = 0o700;
const PRIVATE_FILE = 0o600;

/**
 * Files that `clear` keeps: the locks, which must stay the same files, the entry of the process that holds the
 * directory, and the directory's version.
 */
const KEPT = new Set([OWNER, ENGINE_LOCK, SERVICE_USERS_LOCK, STATE]);

/** Where the services of a running engine listen, and the key that each request must carry. */
export interface Endpoints {
  readonly sqs: string;
  readonly dynamoDb: string;
  /** A secret. It must not be logged. */
  readonly accessKeyId: string;
}

/** The content of `state.json`. */
interface State {
  readonly version: number;
  /** The digests of the files that the last command left: of all its files if it closed them, else of those that never change. */
  readonly files?: FileDigests;
  /** Whether the last command closed its files. Absent if it was killed, or if an older version of Sluice wrote the file. */
  readonly isClosed?: boolean;
}

/** How a workflow was last run. */
export interface Origin {
  readonly workflow: string;
  /** The workflow's file. */
  readonly file: string;
  /** What the user typed for the file. */
  readonly name: string;
  /** The directory in which the user typed it: paths of the source are relative to it. Absent from older versions. */
  readonly directory?: string | undefined;
  readonly concurrency?: number | undefined;
  /** The run's id. If the command died early, the message that starts the run may not have been sent. */
  readonly run: string;
  readonly limit?: number | undefined;
}

/**
 * Why a process has locked a directory. `engine`: it runs the workflow. `look`: it is a command that reads or changes
 * the state.
 */
export type Use = "engine" | "look";

/** The process that has locked a directory. */
export interface LockOwner {
  readonly pid: number;
  readonly use: Use;
  /** Where its services listen. Absent until they do. */
  readonly endpoints?: Endpoints;
}

/**
 * The state of one workflow: queues, ledger, bundles, logs. One engine at a time uses it.
 */
export class StateDirectory {
  readonly path: string;
  readonly #lock: ProcessLock;
  readonly #serviceUsers: ProcessLock;

  constructor(workflow: string, root: string = stateRoot()) {
    this.path = join(root, workflow);
    this.#lock = new ProcessLock(join(this.path, ENGINE_LOCK));
    this.#serviceUsers = new ProcessLock(join(this.path, SERVICE_USERS_LOCK));
  }

  /** The state directories of all workflows that were run here, the latest run first. */
  static all(root: string = stateRoot()): readonly StateDirectory[] {
    if (!existsSync(root)) return [];
    return usable(root, () => readdirSync(root))
      .map((workflow) => new StateDirectory(workflow, root))
      .filter(({ origin }) => origin !== undefined)
      .sort((a, b) => b.#originWrittenAt - a.#originWrittenAt);
  }

  get queues(): string {
    return join(this.path, QUEUES);
  }

  get tables(): string {
    return join(this.path, TABLES);
  }

  /** The note of the acknowledged writes to the tables: see `AcknowledgedLog`. */
  get acknowledged(): string {
    return join(this.path, "acknowledged");
  }

  get bundles(): string {
    return join(this.path, "bundles");
  }

  /** The results of all runs: see `FileObjectStore`. */
  get results(): string {
    return join(this.path, "results");
  }

  get logs(): string {
    return join(this.path, "logs");
  }

  /** A configuration file for the AWS CLI, with the services of the lock owner. */
  get awsConfig(): string {
    return join(this.path, AWS_CONFIG);
  }

  get #state(): string {
    return join(this.path, STATE);
  }

  get #ownerFile(): string {
    return join(this.path, OWNER);
  }

  get #originWrittenAt(): number {
    // Another command may delete the file at any time.
    return statSync(this.#origin, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  }

  get #origin(): string {
    return join(this.path, "workflow.json");
  }

  /**
   * Locks the directory for this process.
   *
   * @param options.fresh Whether the caller will call `clear`, so that a damaged `state.json` does not matter.
   * @returns `false` if another process has the lock.
   * @throws {SluiceError} `STATE_UNUSABLE`: it cannot be written. `STATE_FULL`: the disk is full. `STATE_DAMAGED`: a file of
   *   the directory is damaged.
   * @throws {SluiceError} `STATE_NEWER`: a newer version of Sluice wrote it.
   */
  lock(use: Use, { fresh = false } = {}): boolean {
    this.#refuseNewer(fresh);
    return usable(this.path, () => {
      mkdirSync(this.path, { recursive: true, mode: PRIVATE_DIRECTORY });
      // An earlier version of Sluice or the user may have created the directory with another mode.
      chmodSync(this.path, PRIVATE_DIRECTORY);
      if (!this.#lock.take()) return false;
      this.#forgetServices();
      this.#write(this.#ownerFile, { pid: process.pid, use } satisfies LockOwner);
      this.#makeDirectories();
      // `open` writes the file anew. Until then, it says what the last command left.
      if (!existsSync(this.#state)) this.#write(this.#state, { version: STATE_VERSION } satisfies State);
      return true;
    });
  }

  /**
   * Checks that the files hold every write that was acknowledged, and notes that they are open from now on. This process
   * must have the lock.
   *
   * @param options.fresh Whether the caller has called `clear`.
   * @throws {SluiceError} `STATE_DAMAGED`: it names the file.
   */
  open({ fresh = false } = {}): void {
    const left = fresh ? undefined : this.#read<State>(this.#state);
    const { files = {}, isClosed = false } = left ?? {};
    usable(this.path, () => {
      if (!fresh) verifyState(this, { files, isClosed });
      this.#write(this.#state, { version: STATE_VERSION, files: immutable(files) } satisfies State);
    });
  }

  /**
   * Removes the unfinished files of results whose writers were killed. This process must have the lock, so no other
   * engine's functions begin to write.
   */
  removeDrafts(): void {
    if (!existsSync(this.results)) return;
    usable(this.results, () => {
      const directory = opendirSync(this.results, { recursive: true });
      try {
        for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
          const writer = writerOfDraft(entry.name);
          if (writer !== undefined && !isAlive(writer)) rmSync(join(entry.parentPath, entry.name), { force: true });
        }
      } finally {
        directory.closeSync();
      }
    });
  }

  /** Notes what the files hold. They must be closed, and this process must have the lock. */
  close(): void {
    // The user may have removed the whole directory.
    if (!existsSync(this.path)) return;
    const files = digestsOf(this.path, QUEUES, TABLES);
    this.#write(this.#state, { version: STATE_VERSION, files, isClosed: true } satisfies State);
  }

  /** Tells other processes where the services of this process listen. This process must have the lock. */
  offerServices(use: Use, endpoints: Endpoints): void {
    usable(this.path, () => {
      this.#write(this.#ownerFile, { pid: process.pid, use, endpoints } satisfies LockOwner);
      this.#writeText(this.awsConfig, awsConfig(endpoints));
    });
  }

  /** Removes the file that holds the key of services that have ended. */
  #forgetServices(): void {
    rmSync(this.awsConfig, { force: true });
  }

  /**
   * Stops offering the services of this process to other processes. This process must have the lock.
   *
   * @returns whether no other process uses them any more.
   */
  withdrawServices(use: Use): boolean {
    // The user may have removed the whole directory.
    if (!existsSync(this.path)) return true;
    this.#write(this.#ownerFile, { pid: process.pid, use } satisfies LockOwner);
    this.#forgetServices();
    const alone = this.#serviceUsers.take();
    this.#serviceUsers.release();
    return alone;
  }

  unlock(): void {
    rmSync(this.#ownerFile, { force: true });
    this.#forgetServices();
    this.#lock.release();
  }

  /**
   * Begins to use the services of the lock owner. They stay open until this process calls `release`.
   *
   * @returns `undefined` if no process offers services.
   * @throws {SluiceError} `STATE_UNUSABLE`
   * @throws {SluiceError} `STATE_NEWER`: a newer version of Sluice wrote it.
   */
  useServices(): { readonly endpoints: Endpoints; release(): void } | undefined {
    this.#refuseNewer();
    if (this.lockOwner()?.endpoints === undefined) return undefined;
    const user = new ProcessLock(join(this.path, SERVICE_USERS_LOCK));
    // The lock owner takes this lock for a moment when it is about to end.
    if (!usable(this.path, () => user.share())) return undefined;
    // From now on, the lock owner waits for this process before it closes its services. The endpoints may have changed
    // before that, so they are read again.
    const endpoints = this.lockOwner()?.endpoints;
    if (endpoints === undefined) {
      user.release();
      return undefined;
    }
    return { endpoints, release: () => user.release() };
  }

  /** The other process that has locked the directory, if there is one. */
  lockOwner(): LockOwner | undefined {
    const owner = this.#readOwner();
    if (owner === undefined || owner.pid === process.pid) return undefined;
    if (!usable(this.path, () => this.#lock.isTaken)) return undefined;
    // A process that has just taken the lock may not have replaced the entry of a process that was killed.
    return isAlive(owner.pid) ? owner : undefined;
  }

  /** The error to throw if another process has locked the directory. */
  lockedError(): SluiceError {
    const { pid, use } = this.lockOwner() ?? {};
    const what = use === "look" ? "another command" : "an engine";
    const process = pid === undefined ? "" : ` (process ${pid})`;
    return new SluiceError(
      "ENGINE_RUNNING",
      `${what}${process} works in ${this.path}: wait until it is done, or end it first`,
    );
  }

  /** Writes how the workflow was run, for the commands that continue its run. */
  remember(origin: Origin): void {
    usable(this.path, () => this.#write(this.#origin, origin));
  }

  get origin(): Origin | undefined {
    return this.#read<Origin>(this.#origin);
  }

  #refuseNewer(isFresh = false): void {
    const version = this.#version(isFresh);
    if (version <= STATE_VERSION) return;
    throw new SluiceError(
      "STATE_NEWER",
      `${this.path} has version ${version} of the state, and this version of Sluice reads versions up to ` +
        `${STATE_VERSION}: use the version that wrote it or a later one (npm install sluice@latest), or move the ` +
        "directory away to begin without its runs and dead letters",
    );
  }

  #version(isFresh: boolean): number {
    try {
      return this.#read<State>(this.#state)?.version ?? STATE_VERSION;
    } catch (error) {
      if (isFresh && error instanceof SluiceError && error.code === "STATE_DAMAGED") return STATE_VERSION;
      throw error;
    }
  }

  /** Reads the entry of the lock owner. A damaged entry counts as no entry, because the lock itself decides. */
  #readOwner(): LockOwner | undefined {
    try {
      return this.#read<LockOwner>(this.#ownerFile);
    } catch (error) {
      if (error instanceof SluiceError && error.code === "STATE_DAMAGED") return undefined;
      throw error;
    }
  }

  // The text is written to another file, which is then renamed, so a reader never sees half of it.
  #write(file: string, content: unknown): void {
    this.#writeText(file, JSON.stringify(content));
  }

  #writeText(file: string, text: string): void {
    const draft = `${file}.${process.pid}`;
    // `mode` has no effect on a file that exists.
    rmSync(draft, { force: true });
    writeFileSync(draft, text, { mode: PRIVATE_FILE });
    renameSync(draft, file);
  }

  #read<Content>(file: string): Content | undefined {
    let text: string;
    try {
      text = readFileSync(file, "utf8");
    } catch (error) {
      // The process that wrote the file may remove it at any time.
      if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
      throw stateError("unusable", file, error);
    }
    let content: unknown;
    try {
      content = JSON.parse(text);
    } catch (error) {
      throw stateError("damaged", file, error);
    }
    if (typeof content !== "object" || content === null) throw stateError("damaged", file, "it holds no JSON object");
    return content as Content;
  }

  /** Deletes all state: runs, messages, dead letters. This process must have the lock. */
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

  /** Opens the log of a function. What earlier commands left in it stays, as far as there is room. */
  openLog(name: string): BoundedLog {
    return usable(this.logFile(name), () => new BoundedLog(this.logFile(name)));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // The process exists, and belongs to another user.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
