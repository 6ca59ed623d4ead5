import { type ChildProcess, spawn } from "node:child_process";
import { publish } from "../../base/events.ts";
import { toStoredText } from "../../base/exact-json.ts";
import { channelStdio } from "../../base/private-channel.ts";
import { toError } from "../../base/thrown.ts";
import { ISOLATED_START_SECONDS } from "../../definition/topology.ts";
import type { AttemptOutcome } from "./attempt.ts";
import { isolationFlags, isolationMemory } from "./isolation-memory.ts";
import { IsolationProcess } from "./isolation-process.ts";
import { fromPlainError, ISOLATED, type IsolatedRequest } from "./isolation-protocol.ts";

export interface IsolationOptions {
  /** The module that serves the attempt when `ISOLATED` is set: the consumer's own bundle. */
  readonly isolatedModule: string;
  /** The function's memory, which `isolationMemory` divides. */
  readonly memoryMb: number;
  readonly now: () => number;
  /** Starts the processes. Default: `spawn` of Node. */
  readonly spawnProcess?: typeof spawn;
}

/** How an isolated attempt ended, or why it was not made. An attempt that was not made says nothing about its item. */
export type IsolationOutcome =
  | AttemptOutcome
  /** The process was not ready in time: this machine is busy. */
  | { readonly tag: "not ready" }
  /** The process could not be started, or ended before the attempt began: this environment is broken. */
  | { readonly tag: "not started"; readonly error: Error };

/** One attempt of an item, to be made in a process of its own. */
export interface IsolatedAttempt extends Omit<IsolatedRequest, "itemText"> {
  readonly item: unknown;
}

/** How an isolated attempt begins. */
export interface IsolatedBeginning {
  /** Whether no other isolated attempt runs at the same time. */
  readonly alone: boolean;
  /** The latest time at which the attempt may begin, in the clock's milliseconds. */
  readonly beginsBy: number;
  /** Called when the process is ready, before it gets the item. If it throws, `run` throws the same and makes no attempt. */
  readonly begin: () => Promise<void>;
}

/**
 * Runs an attempt in a process of its own. A task that ends its process, blocks it or fills its memory then harms no
 * other item. Only suspect items are isolated; see `docs/internals/poison.md`.
 */
export class Isolation {
  readonly #options: IsolationOptions;

  constructor(options: IsolationOptions) {
    this.#options = options;
  }

  /** Runs one attempt. What goes wrong before the attempt begins never counts against its item. */
  async run(attempt: IsolatedAttempt, { alone, beginsBy, begin }: IsolatedBeginning): Promise<IsolationOutcome> {
    const { memoryMb, now } = this.#options;
    const { item, ...request } = attempt;
    const startMilliseconds = Math.min(ISOLATED_START_SECONDS * 1_000, beginsBy - now());
    if (startMilliseconds <= 0) return { tag: "not ready" };
    const memory = isolationMemory(memoryMb, alone);
    let child: ChildProcess;
    try {
      child = this.#spawn(isolationFlags(memory));
    } catch (thrown) {
      return { tag: "not started", error: toError(thrown) };
    }
    // A process that could not be started has no id. An event tells why.
    if (child.pid === undefined) return { tag: "not started", error: await startError(child) };
    const process = new IsolationProcess(child, memory.processMb);
    try {
      const readiness = await process.ready(startMilliseconds);
      if (readiness.tag !== "ready") return readiness;
      await begin();
      // `begin` may have waited for a slow ledger.
      if (now() > beginsBy) return { tag: "not ready" };
      const startedAt = now();
      publish({ event: "started" });
      const answer = await process.attempt({ ...request, itemText: toStoredText(item) });
      const times = { startedAt, endedAt: now() };
      publish({ event: "ended", milliseconds: times.endedAt - startedAt });
      if (answer.tag === "succeeded") return { tag: "succeeded", result: answer.result, ...times };
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

/** Why a process could not be started. */
const startError = (child: ChildProcess): Promise<Error> =>
  new Promise((resolve) => {
    child.once("error", resolve);
  });
