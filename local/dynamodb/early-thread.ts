import { extname } from "node:path";
import { Worker } from "node:worker_threads";

const ENTRY = new URL(`./dynalite-thread-entry${extname(import.meta.url)}`, import.meta.url);

let early: { readonly worker: Worker; hasFailed: boolean } | undefined;

/**
 * Starts the thread for DynamoDB before its options are known, so that it loads DynamoDB while this process loads the workflow.
 * That takes a fifth of a second. `takeThread` returns this thread. If nobody takes it, it does not keep the process running.
 *
 * @example
 * beginThread();
 * const { workOnRun } = await import("./session.ts");
 */
export function beginThread(): Worker {
  if (early !== undefined) return early.worker;
  const begun = { worker: new Worker(ENTRY), hasFailed: false };
  begun.worker.unref();
  // The thread that `takeThread` starts instead has the same error again, and reports it.
  const fail = () => {
    begun.hasFailed = true;
  };
  begun.worker.once("error", fail).once("exit", fail);
  early = begun;
  return begun.worker;
}

/** Returns the thread that `beginThread` started, or starts one. It waits for its options: send them as a message. */
export function takeThread(): Worker {
  const begun = early;
  early = undefined;
  if (begun === undefined || begun.hasFailed) return new Worker(ENTRY);
  begun.worker.removeAllListeners();
  begun.worker.ref();
  return begun.worker;
}
