import workflow from "#workflow";
import { clientConfig } from "../shared/aws/client-config.ts";
import type { Blueprints } from "../shared/aws/fast-path.ts";
import { PARALLEL_SENDS } from "../shared/aws/queue.ts";
import type { FunctionEnvironment } from "../shared/definition/function-environment.ts";
import { connectWith, type LedgerOf } from "../shared/ledger/connection.ts";
import type { ItemLedger } from "../shared/ledger/item-ledger.ts";
import { objectStoreOfUrl } from "../shared/results/object-store-of-url.ts";
import { createClients } from "./clients.ts";
import { WARM_UP_MILLISECONDS, warmUpCode, warmUpConnections } from "./environment-warm-up.ts";
import { openS3 } from "./open-results-store.ts";

/**
 * Counts the requests that should have bypassed the SDK and could not. All invocations of the environment share the
 * count.
 */
class FallbackCount {
  #count = 0;

  add(): void {
    this.#count++;
  }

  /** Returns the count and sets it to 0, so that each fallback is in the metrics of one invocation only. */
  take(): number {
    const count = this.#count;
    this.#count = 0;
    return count;
  }
}

/** How a function uses its services. */
export interface FunctionUse<L extends ItemLedger> {
  /** How many requests to the queue it makes at once. */
  readonly sockets: number;
  /** Whether each of its invocations sends requests to the control queue. */
  readonly usesControlQueue: boolean;
  /** Makes its ledger. */
  readonly ledgerOf: LedgerOf<L>;
}

/**
 * Returns the workflow of this bundle and everything that its functions use: queues, ledger, clock and randomness. Call
 * it once, when an execution environment starts, because it also warms the environment up. Only the count of fallbacks
 * changes from one invocation to the next.
 */
export async function functionServices<L extends ItemLedger>(
  environment: FunctionEnvironment,
  { sockets, usesControlQueue, ledgerOf }: FunctionUse<L>,
) {
  const blueprints: Blueprints = new Map();
  const configOf = () => clientConfig({ sockets: 2 * PARALLEL_SENDS });
  const fallbacks = new FallbackCount();
  const fastPath = environment.fastPath ? { blueprints, onFallback: () => fallbacks.add() } : undefined;
  const services = connectWith(createClients(configOf, fastPath, environment.access), environment, ledgerOf);
  const warmUpEnd = performance.now() + WARM_UP_MILLISECONDS;
  await warmUpCode(environment, blueprints, () => performance.now() >= warmUpEnd);
  const { store, queue } = services;
  const endpoints = { store, queue, controlQueue: usesControlQueue ? services.controlQueue : undefined };
  await warmUpConnections(endpoints, sockets, Math.max(0, warmUpEnd - performance.now()));
  const { resultsUrl } = environment;
  const resultStore = resultsUrl === undefined ? undefined : await objectStoreOfUrl(resultsUrl, openS3);
  return { workflow, ...services, resultStore, fallbacks, now: Date.now, random: Math.random } as const;
}
