import { once } from "node:events";
import { SluiceError, toError } from "../../shared/base/errors.ts";
import { stateError, stateFailureOf } from "../state-failure.ts";
import type { LocalDynamoDb, LocalDynamoDbOptions } from "./dynalite-server.ts";
import { takeThread } from "./early-thread.ts";

/** DynamoDB in a thread of its own. It opens its tables at its first request. */
export interface DynamoDbThread extends LocalDynamoDb {
  /**
   * Waits for work that sends requests to DynamoDB.
   *
   * @throws {SluiceError} `LEDGER_UNREADABLE`: the thread failed during the work.
   */
  during<T>(work: Promise<T>): Promise<T>;
}

/**
 * Starts DynamoDB in a thread of its own. A write takes several ticks of the event loop. If the queues ran in the same
 * event loop, each tick would also process their requests, and consumers would mostly wait for the ledger.
 *
 * @throws {SluiceError} `LEDGER_UNREADABLE`: the thread cannot start.
 */
export async function startDynamoDbThread(
  options: LocalDynamoDbOptions & { readonly path: string },
): Promise<DynamoDbThread> {
  const { path } = options;
  const worker = takeThread();
  worker.postMessage(options);
  const cannotOpen = (cause: unknown) => {
    const failure = stateFailureOf(cause);
    if (failure !== undefined) return stateError(failure, path, cause);
    return new SluiceError(
      "LEDGER_UNREADABLE",
      `the ledger's tables in ${path} cannot be opened: ${toError(cause).message}. If they are damaged, move that ` +
        "directory away. The next start then has none of its runs",
      { cause },
    );
  };
  const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  const ended = exited.then(() => Promise.reject(new Error("its thread ended")));
  const endpoint = await Promise.race([once(worker, "message"), ended]).then(
    ([message]) => message as string,
    (cause) => Promise.reject(cannotOpen(cause)),
  );
  return {
    endpoint,
    async during(work) {
      const over = new AbortController();
      const failed = once(worker, "error", { signal: over.signal }).then(([cause]) =>
        Promise.reject(cannotOpen(cause)),
      );
      try {
        return await Promise.race([work, failed]);
      } finally {
        over.abort();
      }
    },
    async close() {
      // A request that is still under way finds the tables closed, and dynalite throws. The client that sent it has
      // ended too.
      worker.on("error", () => {});
      worker.postMessage("close");
      await exited;
    },
  };
}
