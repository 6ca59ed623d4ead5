import { Ledger } from "../shared/ledger/ledger.ts";
import { MemoryStore } from "../shared/ledger/memory-store.ts";
import { Runs } from "../shared/ledger/runs.ts";
import type { Metrics } from "../shared/metrics.ts";
import { Queue } from "../shared/queue.ts";
import { taskQueueClient } from "./clients.ts";

const ENDPOINT = "https://sqs.invalid";

/** Every request is answered at once, and with nothing. */
const requestHandler = {
  metadata: { handlerProtocol: "none" },
  async handle() {
    return { response: { statusCode: 200, headers: {}, body: Buffer.from("{}") } };
  },
  updateHttpClientConfig() {},
  httpHandlerConfigs: () => ({}),
};

const nothing = () => {};
const metrics: Metrics = { count: nothing, duration: nothing, peak: nothing };

/**
 * Services for a rehearsal: whatever is sent to them leaves no trace. The queue's requests are prepared all the same, and
 * go nowhere.
 */
export function standIns() {
  const store = new MemoryStore();
  const client = taskQueueClient({
    requestHandler,
    endpoint: ENDPOINT,
    region: "none",
    credentials: { accessKeyId: "-", secretAccessKey: "-" },
  });
  const queue = new Queue(client, `${ENDPOINT}/000000000000/rehearsal`);
  const announce = async () => {};
  return {
    ledger: new Ledger(store, Date.now, announce),
    runs: new Runs(store, Date.now, announce),
    queue,
    deadLetterQueue: queue,
    controlQueue: queue,
    controlDeadLetterQueue: queue,
    now: Date.now,
    random: Math.random,
    logger: { debug: nothing, info: nothing, warn: nothing, error: nothing },
    metrics,
  };
}
