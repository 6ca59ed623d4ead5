import { fork } from "node:child_process";
import { toStoredText } from "../base/exact-json.ts";
import type { FailureKind } from "../failure.ts";
import { publish } from "../observation.ts";
import { TaskTimeoutError } from "../task-errors.ts";
import type { AttemptOutcome } from "./attempt.ts";
import { fromPlainError, ISOLATED, type IsolatedAnswer, type IsolatedRequest } from "./isolation-protocol.ts";

export interface IsolationOptions {
  /** The module that serves the attempt when `ISOLATED` is set: the consumer's own bundle. */
  readonly isolatedModule: string;
  /** The function's memory, of which the attempt's heap gets the half. */
  readonly memoryMb: number;
  readonly now: () => number;
}

/** For a new process to load the bundle; what it takes is not the attempt's. */
const START_MILLISECONDS = 10_000;

/** After its timeout, for a task that heeds it to say so. One that blocks the processor never does. */
const GRACE_MILLISECONDS = 500;

const SMALLEST_HEAP_MB = 64;

/** One attempt of an item, to be made in a process of its own. */
export interface IsolatedAttempt extends Omit<IsolatedRequest, "itemText"> {
  readonly item: unknown;
}

type Failed = Extract<IsolatedAnswer, { tag: "failed" }>;

/** The attempt took its process along. */
class CrashedError extends Error {
  override readonly name = "CrashedError";
}

/**
 * Runs an attempt in a process of its own, so that an item which ends, blocks or fills its process does it alone. Only
 * for suspects: items whose consumer died, perhaps because of them. See `docs/poison.md`.
 */
export class Isolation {
  readonly #options: IsolationOptions;

  constructor(options: IsolationOptions) {
    this.#options = options;
  }

  /** Runs one attempt. `undefined` where its process did not come up in time: no attempt was made. Never rejects. */
  async run({ item, ...request }: IsolatedAttempt): Promise<AttemptOutcome | undefined> {
    const { isolatedModule, memoryMb, now } = this.#options;
    const heapMb = Math.max(SMALLEST_HEAP_MB, Math.floor(memoryMb / 2));
    const child = fork(isolatedModule, [], {
      env: { ...process.env, [ISOLATED]: "1" },
      execArgv: [`--max-old-space-size=${heapMb}`, "--no-warnings"],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    let startedAt: number | undefined;
    const answer = await new Promise<Exclude<IsolatedAnswer, { tag: "ready" }> | undefined>((settle) => {
      let timer = setTimeout(() => settle(undefined), START_MILLISECONDS);
      child.on("message", (message: IsolatedAnswer) => {
        if (message.tag !== "ready") return settle(message);
        clearTimeout(timer);
        startedAt = now();
        publish({ event: "started" });
        const { timeoutMilliseconds } = request;
        timer = setTimeout(() => settle(blocked(timeoutMilliseconds)), timeoutMilliseconds + GRACE_MILLISECONDS);
        child.send({ ...request, itemText: toStoredText(item) } satisfies IsolatedRequest, () => {});
      });
      child.once("error", (error) => settle(failed("crashed", new CrashedError(error.message))));
      child.once("exit", (code, signal) => {
        clearTimeout(timer);
        settle(failed("crashed", new CrashedError(`the attempt ended its process: ${describeExit(code, signal)}`)));
      });
    });
    child.kill("SIGKILL");
    if (startedAt !== undefined) publish({ event: "ended" });
    if (answer === undefined) return undefined;
    const times = { startedAt: startedAt ?? now(), endedAt: now() };
    if (answer.tag === "succeeded") return { tag: "succeeded", ...times };
    return { tag: "failed", kind: answer.kind, thrown: fromPlainError(answer.error), ...times };
  }
}

function blocked(timeoutMilliseconds: number): Failed {
  const seconds = timeoutMilliseconds / 1_000;
  const message = `the attempt blocked its process, which was ended after the timeout of ${seconds} s`;
  return failed("timed out", new TaskTimeoutError(message));
}

function failed(kind: FailureKind, { name, message }: Error): Failed {
  // Its stack would be ours: there is none of the task's.
  return {
    tag: "failed",
    kind,
    error: { name, message, stack: "", code: undefined },
  };
}

function describeExit(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal === "SIGABRT" || signal === "SIGTRAP") return `${signal}, as V8 ends a process whose heap is full`;
  return signal ?? `exit code ${code}`;
}
