import { randomUUID } from "node:crypto";
import { statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { SQSEvent } from "aws-lambda";
import { build } from "esbuild";
import { loadWorkflow } from "../../cli/targets/workflow-file.ts";
import { bundleOptions } from "../../infra/bundling.ts";
import { bundleFunctions } from "../../local/lambda/bundle-functions.ts";
import { EventSourceMapping, type MappingOptions } from "../../local/lambda/event-source-mapping.ts";
import type { FunctionConfiguration } from "../../local/lambda/execution-environment.ts";
import { LocalFunction } from "../../local/lambda/local-function.ts";
import { openServices } from "../../local/local-services.ts";
import { StateDirectory } from "../../local/state-directory.ts";
import { topology } from "../../shared/definition/topology.ts";
import { parseControlMessage, startEntry } from "../../shared/messages/control.ts";
import { type ColdStart, coldStart } from "../harness/cold-start.ts";
import { functionVariables } from "../harness/function-variables.ts";
import { side } from "../harness/side.ts";
import { median } from "../harness/statistics.ts";

interface Input {
  readonly handler: "producer" | "consumer" | "powertools" | "empty";
  /** Environments that are measured, one after the other. */
  readonly starts: number;
}

const BATCH = 10;
const POLL_MILLISECONDS = 20;

// A handler in a process that is started for one invocation: its bundle as it is deployed, its services those of the
// embedded engine, and no compile cache, as Lambda has none.
await side<Input>(async ({ handler, starts }, directory) => {
  // The first has the bundle read from the disk, and is not counted.
  const invocations = starts + 1;
  const items = handler === "producer" ? BATCH : BATCH * invocations;
  process.env.SLUICE_BENCH_ITEMS = String(items);
  const file = fileURLToPath(new URL("../workflows/noop.ts", import.meta.url));
  const { workflow } = await loadWorkflow(file);
  // A consumer that refills would go on after its batch, for as long as there are messages.
  const shape = topology({ ...workflow, refill: false });
  const state = new StateDirectory(workflow.name, directory);
  const services = await openServices({ workflow: workflow.name, topology: shape, state });
  const { sqs, names, runs, queue, controlQueue } = services;
  const bundles = await bundleFunctions(file, state.bundles);
  const variables = { ...functionVariables(services, workflow.name, shape), SLUICE_BENCH_ITEMS: String(items) };
  const configurationOf = (name: string, bundle: string): FunctionConfiguration => ({
    name,
    bundle,
    timeoutSeconds: shape.producer.timeoutSeconds,
    memoryMb: workflow.memoryMb,
    variables,
    log: state.openLog(name).descriptor,
  });
  const bundle =
    handler === "producer" || handler === "consumer" ? bundles[handler] : await bundleHandler(handler, state.bundles);
  const measured = configurationOf(handler, bundle);
  const producer = new LocalFunction(configurationOf("warm", bundles.producer), {
    onActivity: () => {},
    onFailure: (error) => console.error(error),
  });
  const times: ColdStart[] = [];
  const invokeCold = async (event: SQSEvent) => {
    const time = await coldStart(measured, event);
    times.push(time);
    return time.outcome;
  };
  const mapTo = (name: string, batchSize: number, invoke: MappingOptions["invoke"]) =>
    new EventSourceMapping({
      store: sqs.store,
      queue: name,
      batchSize,
      batchingWindowSeconds: 0,
      maximumConcurrency: 1,
      invoke,
    });
  /** Has a run's source paged to its end. */
  const produce = async () => {
    const run = randomUUID();
    const requestedAt = new Date().toISOString();
    await controlQueue.sendControl(startEntry({ workflow: workflow.name, run, requestedAt }));
    await until(async () => (await runs.find(run))?.checkpoint.ended === true);
  };
  const mappings = [
    mapTo(names.controlQueue, 1, (event) =>
      handler === "producer" && isStart(event) ? invokeCold(event) : producer.invoke(event),
    ),
  ];
  if (handler === "producer") for (let invocation = 0; invocation < invocations; invocation++) await produce();
  else {
    if (handler === "consumer") await produce();
    // A task's duration, in milliseconds.
    else await queue.sendAll(Array.from({ length: items }, () => ({ body: "0" })));
    mappings.push(mapTo(names.queue, BATCH, invokeCold));
  }
  await until(async () => times.length === invocations);
  await Promise.all(mappings.map((mapping) => mapping.stop()));
  await producer.close();
  await services.close();
  const counted = times.slice(1);
  return {
    milliseconds: median(counted.map(({ load, invocation }) => load + invocation)),
    load: median(counted.map(({ load }) => load)),
    invocation: median(counted.map(({ invocation }) => invocation)),
    bundleKb: statSync(bundle).size / 1_000,
  };
});

function isStart({ Records: [record] }: SQSEvent): boolean {
  return parseControlMessage(record?.body ?? "").type === "start";
}

/** Bundles a handler that is not ours as ours are. */
async function bundleHandler(name: string, directory: string): Promise<string> {
  const entry = fileURLToPath(new URL(`../harness/${name}-handler.ts`, import.meta.url));
  const outfile = join(directory, `${name}.mjs`);
  await build({ ...bundleOptions(entry), entryPoints: [entry], outfile });
  return outfile;
}

async function until(done: () => Promise<boolean>): Promise<void> {
  while (!(await done())) await setTimeout(POLL_MILLISECONDS);
}
