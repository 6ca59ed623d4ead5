import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { vi } from "vitest";
import { BEHAVIOUR_VARIABLE } from "../../local/sqs/aws-behaviour.ts";
import { CLI } from "./cli-file.ts";
import { runHosted } from "./hosted-commands.ts";
import { PATIENTLY } from "./patience.ts";
import { temporaryDirectory } from "./test-engine.ts";

export const workflowFile = (name: string): string => fileURLToPath(new URL(`./workflows/${name}.ts`, import.meta.url));

/** The `script` of util-linux. Other systems have one with other options. */
export const TERMINAL = "/usr/bin/script";

/** Variables that tell Node whether to use colours, whatever the terminal is. `CI`, for example, turns them off. */
const DECIDES_ON_COLOURS =
  /^(CI|COLORTERM|FORCE_COLOR|NO_COLOR|NODE_DISABLE_COLORS|TEAMCITY_VERSION|TERM_PROGRAM|TF_BUILD|TMUX)$/;

/** The limit ends a test that hangs. A busy machine may take a minute to start an engine. */
const patiently = { ...PATIENTLY, interval: 25 };

/** What a command printed, and how it ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The lines of its output, each of which is JSON. */
  readonly json: readonly Record<string, unknown>[];
}

/** A running command. */
export interface Command {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves once it has printed a text. */
  printed(text: string): Promise<void>;
}

/** A temporary directory in which a test runs commands. Commands that still run in the end are killed. */
export class CliWorld {
  readonly #directory = temporaryDirectory();
  readonly #groups = new Set<number>();
  /** Environment variables of the commands, in addition to those of this process. */
  readonly environment: Record<string, string> = {};

  /** @param other Another world, whose state is copied. */
  constructor(other?: { readonly path: string }) {
    if (other !== undefined) cpSync(other.path, this.path, { recursive: true });
  }

  get path(): string {
    return this.#directory.path;
  }

  /** Adds the state of a workflow that was run in another world. */
  add({ path }: { readonly path: string }, workflow: string): void {
    const state = join(".sluice", workflow);
    cpSync(join(path, state), join(this.path, state), { recursive: true });
  }

  /** Begins a command, in a process group of its own. */
  begin(...words: readonly string[]): Command {
    return this.#spawn(process.execPath, ["--no-warnings", CLI, ...words], "ignore");
  }

  /** Begins another program, which may run commands of its own, in a process group of its own. */
  beginProgram(program: string, ...words: readonly string[]): Command {
    return this.#spawn(program, words, "ignore");
  }

  #spawn(command: string, words: readonly string[], input: "ignore" | "pipe"): Command {
    const child = spawn(command, words, {
      cwd: this.path,
      env: this.#variables(),
      stdio: [input, "pipe", "pipe"],
      detached: true,
    });
    if (child.pid !== undefined) this.#groups.add(child.pid);
    const printed = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream]?.setEncoding("utf8").on("data", (text: string) => {
        printed[stream] += text;
      });
    }
    const ended = once(child, "close").then(([code]) => endedWith({ code: code as number | null, ...printed }));
    return {
      process: child,
      ended,
      async printed(text) {
        await vi.waitUntil(() => printed.stdout.includes(text) || printed.stderr.includes(text), patiently);
      },
    };
  }

  /** All variables of a command. */
  #variables(): Record<string, string | undefined> {
    // The command itself uses this cache too.
    const cache = join(tmpdir(), "node-compile-cache");
    return { ...inherited(), NODE_COMPILE_CACHE: cache, MARKERS: this.path, NO_COLOR: "1", ...this.environment };
  }

  /** Runs a command to its end, in a process that has loaded the modules. A process of its own costs a second: see `begin`. */
  async type(...words: readonly string[]): Promise<Ended> {
    return endedWith(await runHosted({ words, directory: this.path, environment: this.#variables() }));
  }

  /** Runs a command to its end on a terminal of 80 columns and 24 rows. Types the answer once the question is printed. */
  async typeOnTerminal(words: readonly string[], question?: string, answer = ""): Promise<Ended> {
    const quoted = [process.execPath, "--no-warnings", CLI, ...words].map((word) => `'${word}'`);
    const command = this.#spawn(TERMINAL, ["-qec", `stty cols 80 rows 24; ${quoted.join(" ")}`, "/dev/null"], "pipe");
    if (question !== undefined) {
      await command.printed(question);
      command.process.stdin?.write(answer);
    }
    return await command.ended;
  }

  /** Lets queues deliver in order, for a workflow whose first items decide what a test sees, such as `gated`. */
  deliverInOrder(): void {
    this.environment[BEHAVIOUR_VARIABLE] = "";
  }

  /** Resolves once this many tasks of `gated` wait at the gate. */
  async begun(tasks: number): Promise<void> {
    await vi.waitUntil(() => this.begunTasks >= tasks, patiently);
  }

  get begunTasks(): number {
    return readdirSync(this.path).filter((name) => name.startsWith("begun-")).length;
  }

  /** Resolves once a condition holds. */
  async until(condition: () => Promise<boolean>): Promise<void> {
    await vi.waitUntil(condition, patiently);
  }

  read(path: string): string {
    return readFileSync(join(this.path, path), "utf8");
  }

  async exists(path: string): Promise<void> {
    await vi.waitUntil(() => existsSync(join(this.path, path)), { ...patiently, interval: 1 });
  }

  /** Opens the gate: all tasks of `gated` continue. */
  open(): void {
    writeFileSync(join(this.path, "open"), "");
  }

  /** Closes the gate: tasks that begin from now on wait. */
  close(): void {
    rmSync(join(this.path, "open"));
  }

  /** Kills a command with all processes that it started. */
  async kill({ process: { pid }, ended }: Command): Promise<void> {
    if (pid !== undefined) killGroup(pid);
    await ended;
  }

  [Symbol.dispose](): void {
    for (const group of this.#groups) killGroup(group);
    this.#directory[Symbol.dispose]();
  }
}

function endedWith(end: Omit<Ended, "json">): Ended {
  return {
    ...end,
    get json() {
      return end.stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
    },
  };
}

/** The text without the lines of progress, which appear if the machine is slow. */
export const withoutProgress = (text: string): string => text.replaceAll(/^[A-Z][a-z ]+ dead letters: .*\n/gm, "");

/** This process's variables, without those that change a command's output from machine to machine. */
function inherited(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !DECIDES_ON_COLOURS.test(name)));
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    // It has ended.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
