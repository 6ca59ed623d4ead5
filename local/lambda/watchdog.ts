import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

// Each line names the process groups that live. At the end of its input, whoever wrote it is gone.
const SCRIPT = 'groups=; while read -r line; do groups=$line; done; for group in $groups; do kill -9 "-$group"; done';

/**
 * Kills the environments of an engine that is killed. Those that can, end by themselves when they lose it; one whose
 * processor is blocked notices nothing, and would go on for ever. So a shell, in a session of its own, waits for the end
 * of a pipe that only the engine holds.
 */
export class Watchdog {
  readonly #shell: ChildProcess;
  readonly #groups = new Set<number>();

  constructor() {
    this.#shell = spawn("/bin/sh", ["-c", SCRIPT], { stdio: ["pipe", "ignore", "ignore"], detached: true });
    // Without it, all else works.
    this.#shell.on("error", () => {});
    this.#shell.stdin?.on("error", () => {});
  }

  /** Kills a process group with the engine, from now on. */
  watch(group: number): void {
    this.#groups.add(group);
    this.#tell();
  }

  /** A group that has ended: its number may be another's by then. */
  forget(group: number): void {
    this.#groups.delete(group);
    this.#tell();
  }

  /** Kills those that are left. Resolves when the shell is gone. */
  async close(): Promise<void> {
    if (this.#shell.exitCode !== null || this.#shell.pid === undefined) return;
    const exited = once(this.#shell, "exit");
    this.#shell.stdin?.end();
    await exited;
  }

  #tell(): void {
    this.#shell.stdin?.write(`${[...this.#groups].join(" ")}\n`);
  }
}
