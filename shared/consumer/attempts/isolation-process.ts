import type { ChildProcess } from "node:child_process";
import type { FailureKind } from "../../base/failure.ts";
import { PrivateChannel } from "../../base/private-channel.ts";
import { TaskTimeoutError } from "../../base/task-errors.ts";
import { ISOLATED_GRACE_SECONDS } from "../../definition/topology.ts";
import type { IsolatedAnswer, IsolatedRequest } from "./isolation-protocol.ts";
import { watchMemory } from "./memory-watch.ts";

/** Whether a process is ready for its attempt. */
export type Readiness =
  | { readonly tag: "ready" }
  | { readonly tag: "not ready" }
  | { readonly tag: "not started"; readonly error: Error };

/** How the attempt in a process ended. */
export type IsolatedEnd = Exclude<IsolatedAnswer, { tag: "ready" }>;

/** The attempt ended its process, or took more memory than the process may have. */
class CrashedError extends Error {
  override readonly name = "CrashedError";
}

/** The consumer's side of a process that makes one isolated attempt. `isolated-main.ts` is the process's side. */
export class IsolationProcess {
  readonly #child: ChildProcess;
  readonly #processMb: number;
  readonly #channel: PrivateChannel;
  readonly #ended: Promise<string>;

  constructor(child: ChildProcess, processMb: number) {
    this.#child = child;
    this.#processMb = processMb;
    this.#channel = PrivateChannel.toChild(child);
    this.#ended = new Promise((resolve) => {
      // `close` comes when everything that the process wrote has been read: the last part may be its answer.
      child.once("close", (code, signal) => resolve(describeExit(code, signal)));
      child.once("error", (error) => resolve(error.message));
    });
  }

  /** Waits until the process is ready, for at most `milliseconds`. Never rejects. */
  async ready(milliseconds: number): Promise<Readiness> {
    const { promise, resolve } = Promise.withResolvers<Readiness>();
    const timer = setTimeout(() => resolve({ tag: "not ready" }), milliseconds);
    this.#channel.onMessage((message) => {
      if ((message as IsolatedAnswer).tag === "ready") resolve({ tag: "ready" });
    });
    void this.#ended.then((why) => {
      const text = `the process for an isolated attempt ended before the attempt began: ${why}`;
      resolve({ tag: "not started", error: new CrashedError(text) });
    });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Makes the attempt. Never rejects. */
  async attempt(request: IsolatedRequest): Promise<IsolatedEnd> {
    const { timeoutMilliseconds } = request;
    const { promise, resolve } = Promise.withResolvers<IsolatedEnd>();
    const crash = (why: string) => resolve(failed("crashed", new CrashedError(why)));
    this.#channel.onMessage((message) => {
      const answer = message as IsolatedAnswer;
      if (answer.tag !== "ready") resolve(answer);
    });
    void this.#ended.then((why) => crash(`the attempt ended its process: ${why}`));
    const timer = setTimeout(
      () => resolve(blocked(timeoutMilliseconds)),
      timeoutMilliseconds + ISOLATED_GRACE_SECONDS * 1_000,
    );
    const unwatch = watchMemory(this.#child.pid, this.#processMb, (megabytes) =>
      crash(`the attempt's process used ${megabytes} MB, and was ended: its limit is ${this.#processMb} MB`),
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

function blocked(timeoutMilliseconds: number): IsolatedEnd {
  const seconds = timeoutMilliseconds / 1_000;
  const message = `the attempt blocked its process, which was ended after the timeout of ${seconds} s`;
  return failed("timed out", new TaskTimeoutError(message));
}

function failed(kind: FailureKind, { name, message }: Error): IsolatedEnd {
  // The stack would be the consumer's and not the task's, so the error has none.
  return { tag: "failed", kind, error: { name, message, stack: "", code: undefined } };
}

function describeExit(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal === "SIGABRT" || signal === "SIGTRAP") return `${signal}, as V8 ends a process whose heap is full`;
  return signal ?? `exit code ${code}`;
}
