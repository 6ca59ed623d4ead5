import workflow from "#workflow";
import { clientConfig } from "../shared/aws/client-config.ts";
import { DynamoDbStore } from "../shared/aws/dynamodb-table.ts";
import type { Blueprints } from "../shared/aws/fast-path.ts";
import { PARALLEL_SENDS, Queue } from "../shared/aws/queue.ts";
import type { FunctionEnvironment } from "../shared/definition/function-environment.ts";
import { announceOn } from "../shared/ledger/announce.ts";
import { Ledger } from "../shared/ledger/ledger.ts";
import { Runs } from "../shared/ledger/runs.ts";
import { createClients } from "./clients.ts";
import { connectAhead, rehearse, WARM_UP_MILLISECONDS } from "./rehearsal.ts";

/** Counts the requests that were to bypass the SDK and could not, over all invocations of the environment. */
class FallbackCount {
  #count = 0;

  add(): void {
    this.#count++;
  }

  /** How many there were since it was last asked: each is in the metrics of one invocation. */
  take(): number {
    const count = this.#count;
    this.#count = 0;
    return count;
  }
}

/**
 * The workflow of this bundle, and the services its functions work with. Of it, only the count of fallbacks changes
 * between invocations.
 *
 * @param sockets Requests to the queue that the function has under way at once.
 */
export async function connect(environment: FunctionEnvironment, { sockets }: { readonly sockets: number }) {
  const blueprints: Blueprints = new Map();
  const configOf = () => clientConfig({ sockets: 2 * PARALLEL_SENDS });
  const fallbacks = new FallbackCount();
  const fastPath = environment.fastPath ? { blueprints, onFallback: () => fallbacks.add() } : undefined;
  const { sqs, controlSqs, dynamoDb } = createClients(configOf, fastPath, environment.access);
  const store = new DynamoDbStore(dynamoDb, environment.table);
  const queue = new Queue(sqs, environment.queueUrl);
  const controlQueue = new Queue(controlSqs, environment.controlQueueUrl);
  const announce = announceOn(controlQueue);
  const runs = new Runs(store, Date.now, announce);
  const warmUpEnd = performance.now() + WARM_UP_MILLISECONDS;
  await rehearse(environment, blueprints, () => performance.now() >= warmUpEnd);
  await connectAhead({ store, queue, controlQueue }, sockets, warmUpEnd - performance.now());
  return {
    workflow,
    ledger: new Ledger(store, Date.now, announce),
    runs,
    queue,
    deadLetterQueue: new Queue(sqs, environment.deadLetterQueueUrl),
    controlQueue,
    controlDeadLetterQueue: new Queue(controlSqs, environment.controlDeadLetterQueueUrl),
    fallbacks,
    now: Date.now,
    random: Math.random,
  } as const;
}
