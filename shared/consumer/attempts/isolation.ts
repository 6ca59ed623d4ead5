import { type ChildProcess, spawn } from "node:child_process";
import { publish } from "../../base/events.ts";
import { toStoredText } from "../../base/exact-json.ts";
import type { FailureKind } from "../../base/failure.ts";
import { channelStdio, PrivateChannel } from "../../base/private-channel.ts";
import { TaskTimeoutError } from "../../base/task-errors.ts";
import { toError } from "../../base/thrown.ts";
import type { AttemptOutcome } from "./attempt.ts";
import { isolationFlags, isolationMemory } from "./isolation-memory.ts";
import { fromPlainError, ISOLATED, type IsolatedAnswer, type IsolatedRequest } from "./isolation-protocol.ts";
import { watchMemory } from "./memory-watch.ts";

export interface IsolationOptions {
  /** The module that serves the attempt when `ISOLATED` is set: the consumer's own bundle. */
  readonly isolatedModule: string;
  /** The function's memory, which `isolationMemory` divides. */
  readonly memoryMb: number;
  readonly now: () => number;
  /** Starts the processes. Default: `spawn` of Node. */
  readonly spawnProcess?: typeof spawn;
}

/** How an isolated attempt went: as any other, or it was not made. Then it says nothing about its item. */
export type IsolationOutcome =
  | AttemptOutcome
  /** Its process was not ready in time: this machine is busy. */
  | { readonly tag: "not ready" }
  /** Its process could not be started, or ended before the attempt began: this environment is broken. */
  | { readonly tag: "not started"; readonly error: Error };

/** For a new process to load the bundle; what it takes is not the attempt's. */
const START_MILLISECONDS = 10_000;

/** After its timeout, for a task that heeds it to say so. One that blocks the processor never does. */
const GRACE_MILLISECONDS = 500;

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
 * for suspects: items whose consumer died, perhaps because of them. See `docs/internals/poison.md`.
 */
export class Isolation {
  readonly #options: IsolationOptions;

  constructor(options: IsolationOptions) {
    this.#options = options;
  }

  /**
   * Runs one attempt. What goes wrong before it begins is never held against its item.
   *
   * @param alone Whether no other isolated attempt runs at the same time.
   * @param begin Called when the process is ready, before it gets the item. What it throws is thrown: no attempt is made.
   */
  async run(attempt: IsolatedAttempt, alone: boolean, begin: () => Promise<void>): Promise<IsolationOutcome> {
    const { memoryMb, now } = this.#options;
    const { item, ...request } = attempt;
    const memory = isolationMemory(memoryMb, alone);
    let child: ChildProcess;
    try {
      child = this.#spawn(isolationFlags(memory));
    } catch (thrown) {
      return { tag: "not started", error: toError(thrown) };
    }
    // A process that could not be started has no id, and tells why by an event.
    if (child.pid === undefined) return { tag: "not started", error: await startError(child) };
    const process = new IsolatedProcess(child, memory.processMb);
    try {
      const start = await process.ready();
      if (start !== undefined) return start;
      await begin();
      const startedAt = now();
      publish({ event: "started" });
      const answer = await process.attempt({ ...request, itemText: toStoredText(item) });
      publish({ event: "ended" });
      const times = { startedAt, endedAt: now() };
      if (answer.tag === "succeeded") return { tag: "succeeded", ...times };
      return { tag: "failed", kind: answer.kind, thrown: fromPlainError(answer.error), ...times };
    } finally {
      process.kill();
    }
  }

  #spawn(flags: readonly string[]): ChildProcess {
    const { isolatedModule, spawnProcess = spawn } = this.#options;
    return spawnProcess(process.execPath, [...flags, isolatedModule], {
      env: { ...process.env, [ISOLATED]: "1" },
      stdio: [...channelStdio("inherit")],
    });
  }
}

/** The process of one attempt. */
class IsolatedProcess {
  readonly #child: ChildProcess;
  readonly #processMb: number;
  readonly #channel: PrivateChannel;
  readonly #ended: Promise<string>;

  constructor(child: ChildProcess, processMb: number) {
    this.#child = child;
    this.#processMb = processMb;
    this.#channel = PrivateChannel.toChild(child);
    this.#ended = new Promise((resolve) => {
      // When all that it wrote has been read, too: its answer may be the last.
      child.once("close", (code, signal) => resolve(describeExit(code, signal)));
      child.once("error", (error) => resolve(error.message));
    });
  }

  /** Resolves when the process is ready, or with why it is not. */
  async ready(): Promise<Extract<IsolationOutcome, { tag: "not ready" | "not started" }> | undefined> {
    const { promise, resolve } = Promise.withResolvers<{ tag: "not ready" } | undefined>();
    const timer = setTimeout(() => resolve({ tag: "not ready" }), START_MILLISECONDS);
    this.#channel.onMessage((message) => {
      if ((message as IsolatedAnswer).tag === "ready") resolve(undefined);
    });
    const ended = this.#ended.then((why) => {
      const error = new CrashedError(`the process for an isolated attempt ended before the attempt began: ${why}`);
      return { tag: "not started", error } as const;
    });
    try {
      return await Promise.race([promise, ended]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** How the attempt ended. Never rejects. */
  async attempt(request: IsolatedRequest): Promise<Exclude<IsolatedAnswer, { tag: "ready" }>> {
    const { timeoutMilliseconds } = request;
    const { promise, resolve } = Promise.withResolvers<Exclude<IsolatedAnswer, { tag: "ready" }>>();
    const crash = (why: string) => resolve(failed("crashed", new CrashedError(why)));
    this.#channel.onMessage((message) => {
      const answer = message as IsolatedAnswer;
      if (answer.tag !== "ready") resolve(answer);
    });
    void this.#ended.then((why) => crash(`the attempt ended its process: ${why}`));
    const timer = setTimeout(() => resolve(blocked(timeoutMilliseconds)), timeoutMilliseconds + GRACE_MILLISECONDS);
    const unwatch = watchMemory(this.#child.pid, this.#processMb, (megabytes) =>
      crash(`the attempt's process took ${megabytes} MB, and was ended: it may take ${this.#processMb} MB`),
    );
    this.#channel.send(request);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      unwatch();
    }
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

/** Why a process could not be started. */
const startError = (child: ChildProcess): Promise<Error> =>
  new Promise((resolve) => {
    child.once("error", resolve);
  });

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
