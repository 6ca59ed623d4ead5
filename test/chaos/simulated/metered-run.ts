import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { MOST_BATCH_GET_KEYS } from "../../../shared/aws/quotas.ts";
import type { Row } from "../../../shared/aws/table.ts";
import type { Workflow } from "../../../shared/definition/workflow.ts";
import { startEntry } from "../../../shared/messages/control.ts";
import { MemoryObjectStore } from "../../helpers/memory-object-store.ts";
import { CALM, planOf, RUN, WORKFLOW } from "../plan.ts";
import { Random } from "../random.ts";
import { StruckFaults } from "../struck-faults.ts";
import { Latency } from "./latency.ts";
import { SimulatedEngine } from "./simulated-engine.ts";
import { SimulatedJournal } from "./simulated-process.ts";
import { SimulatedTable } from "./simulated-table.ts";
import { VirtualTime } from "./virtual-time.ts";

/** What a run needed. Requests to SQS are those of the functions, and those that the event source mappings make on AWS. */
export interface Metered {
  /** The items that have succeeded or died. */
  readonly items: number;
  readonly dead: number;
  /** From the request of the run to its completion. */
  readonly seconds: number;
  readonly sqs: number;
  readonly dynamoDb: number;
  readonly s3: number;
  readonly actions: Readonly<Record<string, number>>;
}

const TICK_MILLISECONDS = 20;
/** On its way to a service, and back: a request takes 6 ms. Timers have whole milliseconds. */
const LATENCY_MILLISECONDS = 3;
/** A receive takes any message of the queue. */
const WHOLE_QUEUE = 100_000;
const ENTRIES_PER_REQUEST = 10;

class SteadyLatency extends Latency {
  override async pass(): Promise<void> {
    await setTimeout(LATENCY_MILLISECONDS);
  }
}

class Meter extends StruckFaults {
  readonly #count: (action: string) => void;

  constructor(count: (action: string) => void) {
    super(1, CALM, () => {});
    this.#count = count;
  }

  override ofRequest(action: string, queue: string | undefined) {
    this.#count(action);
    return super.ofRequest(action, queue);
  }
}

/**
 * Runs a workflow in virtual time, and counts its requests. The code of the functions and of the queues is the product's own.
 *
 * @param order The order in which the queue delivers its messages.
 */
export async function meteredRun(workflow: Workflow, order: "ordered" | "random"): Promise<Metered> {
  // The first run of a process also waits for modules that load in real time, and meanwhile the virtual time runs on.
  warmedUp ??= runInVirtualTime({ ...workflow, limit: 1 }, order);
  await warmedUp;
  return await runInVirtualTime(workflow, order);
}

let warmedUp: Promise<unknown> | undefined;

/** Lets `act` work in a virtual time of its own. */
export async function inVirtualTime<Result>(act: (time: VirtualTime) => Promise<Result>): Promise<Result> {
  const time = new VirtualTime();
  try {
    return await time.until(act(time));
  } finally {
    time.uninstall();
  }
}

async function runInVirtualTime(workflow: Workflow, order: "ordered" | "random"): Promise<Metered> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-metered-"));
  const file = join(directory, "queues.sqlite");
  try {
    return await inVirtualTime((time) => metered({ ...workflow, name: WORKFLOW }, order, time, file));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function metered(workflow: Workflow, order: "ordered" | "random", time: VirtualTime, file: string) {
  const actions: Record<string, number> = {};
  const counts = { SQS: 0, DynamoDB: 0, S3: 0 };
  const add = (service: keyof typeof counts, action: string, by = 1) => {
    counts[service] += by;
    actions[`${service} ${action}`] = (actions[`${service} ${action}`] ?? 0) + by;
  };
  const meter = (service: keyof typeof counts) =>
    new Meter((action) => {
      // The simulated table reads the rows of a batch one by one. They are one request.
      if (action !== "BatchGetItem") add(service, action);
    });
  const faults = { SQS: meter("SQS"), DynamoDB: meter("DynamoDB"), S3: meter("S3") };
  if (order === "random") faults.SQS.set({ reorder: 1, reorderWindow: WHOLE_QUEUE });
  const random = new Random(1);
  const table = new SimulatedTable();
  let run: Row | undefined;
  let completedAt: number | undefined;
  table.onUpdate = (row) => {
    if (row.pk !== `run#${RUN}` || row.sk !== "run") return;
    run = row;
    if (row.completedAt !== undefined) completedAt ??= time.now();
  };
  const engine = new SimulatedEngine({
    plan: { ...planOf(1), results: workflow.results !== undefined },
    file,
    table,
    journal: new SimulatedJournal(() => time.now()),
    random,
    objects: new MemoryObjectStore(),
    faults,
    serviceClock: () => time.now(),
    onProcess: () => {},
    metered: {
      workflow,
      latency: new SteadyLatency(random),
      onBatch: (records) => add("SQS", "mapping", 1 + Math.ceil(records / ENTRIES_PER_REQUEST)),
      onBatchOfRows: (rows) => add("DynamoDB", "BatchGetItem", Math.ceil(rows / MOST_BATCH_GET_KEYS)),
    },
  });
  const begun = time.now();
  const requestedAt = new Date(begun).toISOString();
  await engine.services.controlQueue.sendControl(startEntry({ workflow: WORKFLOW, run: RUN, requestedAt }));
  for (;;) {
    await setTimeout(TICK_MILLISECONDS);
    if (run?.status === "failed") throw new Error(`the run failed: ${run.failure}`);
    if (completedAt !== undefined && engine.messages === 0) break;
  }
  const seconds = (completedAt - begun) / 1_000;
  await setTimeout(SETTLING_MILLISECONDS);
  const needed = { seconds, sqs: counts.SQS, dynamoDb: counts.DynamoDB, s3: counts.S3, actions: { ...actions } };
  const { succeeded, dead } = await engine.services.runs.counts(await engine.services.runs.get(RUN));
  engine.kill(false);
  return { items: succeeded + dead, dead, ...needed };
}

/** The last environments wait for messages, and the completion is announced. */
const SETTLING_MILLISECONDS = 3_000;
