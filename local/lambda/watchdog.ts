import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

// Each line of the input lists the process groups that are alive. The input ends when the engine ends.
const SCRIPT = 'groups=; while read -r line; do groups=$line; done; for group in $groups; do kill -9 "-$group"; done';

/**
 * Kills the execution environments of an engine that was killed. Most environments notice the end of the engine and end by
 * themselves. An environment in an endless loop notices nothing, and would run forever. So a shell, in a session of its
 * own, reads from a pipe that only the engine holds open, and kills the environments when the pipe closes.
 */
export class Watchdog {
  readonly #shell: ChildProcess;
  readonly #groups = new Set<number>();

  constructor() {
    this.#shell = spawn("/bin/sh", ["-c", SCRIPT], { stdio: ["pipe", "ignore", "ignore"], detached: true });
    // Everything else works without the shell.
    this.#shell.on("error", () => {});
    this.#shell.stdin?.on("error", () => {});
  }

  /** Whether the shell runs. */
  get isWatching(): boolean {
    return this.#shell.pid !== undefined && this.#shell.exitCode === null && this.#shell.signalCode === null;
  }

  /** From now on, kills this process group if the engine ends. */
  watch(group: number): void {
    this.#groups.add(group);
    this.#sendGroups();
  }

  /** Forgets a process group that has ended. Another group may get its number. */
  forget(group: number): void {
    this.#groups.delete(group);
    this.#sendGroups();
  }

  /** Kills the process groups that are left. Resolves when the shell has ended. */
  async close(): Promise<void> {
    if (!this.isWatching) return;
    const exited = once(this.#shell, "exit");
    this.#shell.stdin?.end();
    await exited;
  }

  #sendGroups(): void {
    this.#shell.stdin?.write(`${[...this.#groups].join(" ")}\n`);
  }
}
