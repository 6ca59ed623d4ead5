import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { CommandRequest } from "../../ui/server/api.ts";
import { RequestError } from "../../ui/server/request-error.ts";

/** A command of Sluice as a process: what it printed, as JSON lines. */
interface Line {
  readonly type?: string;
  readonly code?: string;
  readonly message?: string;
  readonly run?: string;
}

/** How long a command waits for one before it to end: that of a run that has just ended closes its engine, which takes a moment. */
const ENDING_MILLISECONDS = 15_000;

/** The command needs an engine, and another command has one for the same workflow. */
class EngineRunning extends RequestError {}

/** Starts the commands that the page's buttons show, so that a button does exactly what its command does. */
export class CommandRunner {
  readonly #flags: readonly string[];
  readonly #children = new Set<ChildProcess>();
  readonly #onEnd: () => void;

  /** @param options.flags What each command needs to act on the same target. */
  constructor(options: { readonly flags: readonly string[]; readonly onEnd: () => void }) {
    this.#flags = options.flags;
    this.#onEnd = options.onEnd;
  }

  /**
   * Runs a command. Resolves with what it said, once it has ended or, if it works on a run, once it has begun.
   *
   * @throws {RequestError} The command failed. The message is the command's.
   */
  async run(words: readonly string[]): Promise<string> {
    const earlier = [...this.#children];
    const patience = AbortSignal.timeout(ENDING_MILLISECONDS);
    for (;;) {
      try {
        return await this.#runOnce(words);
      } catch (error) {
        const ending = earlier.filter(isAlive);
        if (!(error instanceof EngineRunning) || patience.aborted || earlier.length === 0) throw error;
        earlier.splice(0, earlier.length, ...ending);
        const ends = ending.map((child) => once(child, "close", { signal: patience }));
        if (ends.length > 0) await Promise.race(ends).catch(() => {});
      }
    }
  }

  async #runOnce(words: readonly string[]): Promise<string> {
    const [, cli = ""] = process.argv;
    const child = spawn(process.execPath, ["--no-warnings", cli, ...words, ...this.#flags, "--json"], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#children.add(child);
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors = (errors + text).slice(-2_000);
    });
    return await new Promise((resolve, reject) => {
      const messages: string[] = [];
      let failure: RequestError | undefined;
      createInterface({ input: child.stdout }).on("line", (text) => {
        const line = parse(text);
        if (line.type === "started") resolve(`Run ${line.run} has begun.`);
        else if (line.type === "requested") messages.push(`Run ${line.run} was requested.`);
        else if (line.type === "message" && line.message !== undefined) messages.push(line.message);
        else if (line.type === "error" && line.message !== undefined) {
          failure = new (line.code === "ENGINE_RUNNING" ? EngineRunning : RequestError)(409, line.message);
        }
      });
      child.on("error", reject);
      child.on("close", (code) => {
        this.#children.delete(child);
        this.#onEnd();
        if (failure !== undefined) reject(failure);
        else if (code === 1 && messages.length === 0) reject(new RequestError(500, errors || "the command failed"));
        else resolve(messages.join(" "));
      });
    });
  }

  /** Resolves when no command is under way. */
  async idle(): Promise<void> {
    while (this.#children.size > 0) await Promise.race([...this.#children].map((child) => once(child, "close")));
  }

  /** Interrupts the runs that this server started: tasks in flight finish, and nothing is lost. */
  async close(): Promise<void> {
    await Promise.all(
      [...this.#children].map(
        (child) =>
          new Promise<void>((resolve) => {
            child.on("close", () => resolve());
            child.kill("SIGTERM");
          }),
      ),
    );
  }
}

/** The words of the command that a request means. */
export function wordsOf({ command, run, items }: CommandRequest, name: string): readonly string[] {
  switch (command) {
    case "start":
      return ["start", name, ...(items === undefined ? [] : ["--items", String(items)])];
    case "cancel":
      return ["cancel", needed(run), "--yes"];
    default:
      return [command, needed(run)];
  }
}

const isAlive = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode === null && signalCode === null;

function needed(run: string | undefined): string {
  if (run === undefined) throw new RequestError(400, "name the run");
  return run;
}

function parse(text: string): Line {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return {};
  }
}
