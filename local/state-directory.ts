import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { SluiceError } from "../shared/errors.ts";

/** Where the embedded engine keeps what must outlive it. */
export const STATE_ROOT = ".sluice";

/**
 * What the engine keeps of one workflow: queues, ledger, bundles, logs. One engine at a time works in it.
 */
export class StateDirectory {
  readonly path: string;

  constructor(workflow: string, root: string = resolve(STATE_ROOT)) {
    this.path = join(root, workflow);
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
    return join(this.path, "engine.pid");
  }

  /**
   * Takes the directory for this process.
   *
   * @throws {SluiceError} `ENGINE_RUNNING`: another engine works in it.
   */
  lock(): void {
    for (const directory of [this.path, this.bundles, this.logs]) mkdirSync(directory, { recursive: true });
    const holder = this.holder();
    if (holder !== undefined) {
      throw new SluiceError(
        "ENGINE_RUNNING",
        `an engine (process ${holder}) works in ${this.path}: wait until it is done, or end it first`,
      );
    }
    // Written beside and renamed: a lock without a number in it would be no lock.
    const draft = `${this.#lock}.${process.pid}`;
    writeFileSync(draft, String(process.pid));
    renameSync(draft, this.#lock);
  }

  unlock(): void {
    rmSync(this.#lock, { force: true });
  }

  /** The process that works in it, if it lives. */
  holder(): number | undefined {
    if (!existsSync(this.#lock)) return undefined;
    const pid = Number(readFileSync(this.#lock, "utf8"));
    return pid !== process.pid && isAlive(pid) ? pid : undefined;
  }

  /** Drops all state: runs, messages, dead letters. */
  drop(): void {
    const holder = this.holder();
    if (holder !== undefined) {
      throw new SluiceError("ENGINE_RUNNING", `an engine (process ${holder}) works in ${this.path}: end it first`);
    }
    rmSync(this.path, { recursive: true, force: true });
  }

  /** Opens a function's log, emptied. */
  openLog(name: string): { readonly descriptor: number; close(): void } {
    const descriptor = openSync(join(this.logs, `${name}.log`), "w");
    return { descriptor, close: () => closeSync(descriptor) };
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It lives, as somebody else's.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
