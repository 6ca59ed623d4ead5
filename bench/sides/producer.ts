import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { loadWorkflow } from "../../cli/targets/workflow-file.ts";
import { bundleFunctions } from "../../local/lambda/bundle-functions.ts";
import { EventSourceMapping } from "../../local/lambda/event-source-mapping.ts";
import { LocalFunction } from "../../local/lambda/local-function.ts";
import { openServices } from "../../local/local-services.ts";
import { StateDirectory } from "../../local/state-directory.ts";
import { topology } from "../../shared/definition/topology.ts";
import { startEntry } from "../../shared/messages/control.ts";
import { functionVariables } from "../harness/function-variables.ts";
import { side } from "../harness/side.ts";

interface Input {
  readonly items: number;
}

// The producer on the embedded engine with nobody consuming: what it pages, writes into the ledger, sends and
// checkpoints, from the request of the run to the source's end.
await side<Input>(async ({ items }, directory) => {
  process.env.SLUICE_BENCH_ITEMS = String(items);
  const file = fileURLToPath(new URL("../workflows/noop.ts", import.meta.url));
  const { workflow } = await loadWorkflow(file);
  const { consumer, ...shape } = topology({ ...workflow, maxBacklog: 2 * items });
  const state = new StateDirectory(workflow.name, directory);
  const services = await openServices({ workflow: workflow.name, topology: { consumer, ...shape }, state });
  const { sqs, names, runs } = services;
  const bundles = await bundleFunctions(file, state.bundles);
  const producer = new LocalFunction(
    {
      name: "producer",
      bundle: bundles.producer,
      timeoutSeconds: shape.producer.timeoutSeconds,
      memoryMb: shape.producer.memoryMb,
      variables: {
        ...functionVariables(services, workflow.name, { ...shape, consumer }),
        NODE_COMPILE_CACHE: state.bundles,
        SLUICE_BENCH_ITEMS: String(items),
      },
      log: state.openLog("producer").descriptor,
    },
    { onActivity: () => {}, onFailure: (error) => console.error(error) },
  );
  await producer.prepare(2).all;
  const run = randomUUID();
  const { promise: ended, resolve } = Promise.withResolvers<number>();
  const mapping = new EventSourceMapping({
    store: sqs.store,
    queue: names.controlQueue,
    batchSize: 1,
    batchingWindowSeconds: 0,
    maximumConcurrency: shape.producer.environments,
    async invoke(event) {
      const outcome = await producer.invoke(event);
      const at = performance.now();
      if ((await runs.find(run))?.checkpoint.ended === true) resolve(at);
      return outcome;
    },
  });
  const startedAt = performance.now();
  const requestedAt = new Date().toISOString();
  await services.controlQueue.sendControl(startEntry({ workflow: workflow.name, run, requestedAt }));
  const seconds = ((await ended) - startedAt) / 1_000;
  const { visible } = await services.queue.depth();
  if (visible !== items) throw new Error(`the queue holds ${visible} messages instead of ${items}`);
  await mapping.stop();
  await producer.close();
  await services.close();
  return { messagesPerSecond: items / seconds, memoryMb: producer.peakMemoryMb };
});
