import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { SQSClient } from "@aws-sdk/client-sqs";
import { build } from "esbuild";
import { bundleOptions } from "../../infra/bundling.ts";
import { EventSourceMapping } from "../../local/lambda/event-source-mapping.ts";
import { LocalFunction } from "../../local/lambda/local-function.ts";
import { startSqsServer } from "../../local/sqs/http-server.ts";
import { StateDirectory } from "../../local/state-directory.ts";
import { createQueues, queueNames } from "../../local/workflow-queues.ts";
import { Queue } from "../../shared/aws/queue.ts";
import { topology } from "../../shared/definition/topology.ts";
import { ACCESS_KEY_ID, localClient } from "../harness/local-aws.ts";
import { probeVariables, readReports } from "../harness/probe-reports.ts";
import { billedGigabyteSeconds, busyShare } from "../harness/reports.ts";
import { side } from "../harness/side.ts";
import { type Distribution, durations } from "../harness/task-durations.ts";

interface Input {
  readonly distribution: Distribution;
  readonly items: number;
  readonly meanMilliseconds: number;
}

const POLL_MILLISECONDS = 20;
const CONCURRENCY = 50;
const BATCH = 10;

// Powertools' batch processor as the consumer of the engine's own queue and event source mapping. It keeps no ledger and
// has no producer: the messages are sent by a bare loop, and it is done when the queue is empty.
await side<Input>(async ({ distribution, items, meanMilliseconds }, directory) => {
  const shape = topology({
    concurrency: CONCURRENCY,
    tasksPerEnvironment: BATCH,
    timeoutMilliseconds: 60_000,
    retry: { attempts: 5 },
    maxBacklog: undefined,
    memoryMb: 512,
    refill: false,
  });
  const state = new StateDirectory("powertools", directory);
  state.lock("engine");
  const bundle = join(state.bundles, "consumer.mjs");
  const entry = fileURLToPath(new URL("../harness/powertools-handler.ts", import.meta.url));
  await build({ ...bundleOptions(entry), entryPoints: [entry], outfile: bundle });
  const sqs = await startSqsServer({ file: state.queues, accessKeyId: ACCESS_KEY_ID });
  const names = queueNames("powertools");
  createQueues(sqs.store, names, shape);
  const probes = join(directory, "probes");
  const consumer = new LocalFunction(
    {
      name: "powertools-consumer",
      bundle,
      timeoutSeconds: shape.consumer.timeoutSeconds,
      memoryMb: shape.consumer.memoryMb,
      variables: { ...probeVariables(probes), NODE_COMPILE_CACHE: state.bundles },
      log: state.openLog("consumer").descriptor,
    },
    { onActivity: () => {}, onFailure: (error) => console.error(error) },
  );
  await consumer.prepare(shape.environments).all;
  const queue = new Queue(new SQSClient(localClient(sqs.endpoint)), sqs.queueUrl(names.queue));
  await queue.depth();
  const startedAt = performance.now();
  const mapping = new EventSourceMapping({
    store: sqs.store,
    queue: names.queue,
    batchSize: shape.batchSize,
    batchingWindowSeconds: shape.batchingWindowSeconds,
    maximumConcurrency: shape.environments,
    invoke: (event) => consumer.invoke(event),
  });
  await queue.sendAll(durations(distribution, items, meanMilliseconds).map((body) => ({ body: String(body) })));
  for (;;) {
    const { visible, inFlight, delayed } = await queue.depth();
    if (visible + inFlight + delayed === 0) break;
    await setTimeout(POLL_MILLISECONDS);
  }
  const wallSeconds = (performance.now() - startedAt) / 1_000;
  await mapping.stop();
  await consumer.close();
  await sqs.close();
  const reports = readReports(probes);
  return {
    wallSeconds,
    gigabyteSeconds: billedGigabyteSeconds(reports, shape.consumer.memoryMb),
    busyPercent: 100 * busyShare(reports, CONCURRENCY),
  };
});
