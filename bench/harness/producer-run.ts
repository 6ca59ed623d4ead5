import { randomUUID } from "node:crypto";
import { loadWorkflow } from "../../cli/targets/workflow-file.ts";
import { bundleFunctions } from "../../local/lambda/bundle-functions.ts";
import { EventSourceMapping } from "../../local/lambda/event-source-mapping.ts";
import { LocalFunction } from "../../local/lambda/local-function.ts";
import { openServices } from "../../local/local-services.ts";
import { StateDirectory } from "../../local/state-directory.ts";
import { topology } from "../../shared/definition/topology.ts";
import { startEntry } from "../../shared/messages/control.ts";
import { functionVariables } from "./function-variables.ts";

/** A workflow, and how many items its source has. */
export interface ProducerRun {
  /** The path of the workflow's file. */
  readonly file: string;
  readonly items: number;
  /** The environment variables that the workflow reads. */
  readonly variables: Readonly<Record<string, string>>;
  /** Where the queues and the ledger are stored. */
  readonly directory: string;
}

/**
 * Runs the producer on the embedded engine with nobody consuming: what it pages, writes into the ledger, sends and
 * checkpoints, from the request of the run to the source's end.
 */
export async function runProducer({ file, items, variables, directory }: ProducerRun) {
  Object.assign(process.env, variables);
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
        ...variables,
      },
      log: state.openLog("producer").descriptor,
    },
    { onActivity: () => {}, onFailure: (error) => console.error(error) },
  );
  await producer.prepare(shape.producer.environments).all;
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
      // The run's row knows the end of a source with one partition.
      const isOver =
        (await runs.find(run))?.checkpoint.ended === true || sqs.store.counts(names.queue).visible === items;
      if (isOver) resolve(at);
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
}
