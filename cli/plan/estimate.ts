import { PRICES } from "../../shared/aws/prices.ts";
import { LARGEST_BATCH } from "../../shared/aws/quotas.ts";
import type { RetryPolicy } from "../../shared/base/retry.ts";
import type { Topology } from "../../shared/definition/topology.ts";
import { type FleetCounts, modelFleet } from "./model/fleet-model.ts";
import { countLedgerPages, type SourceShape, sourcePagesOfPartition } from "./model/ledger-pages.ts";
import type { Delivery } from "./model/modelled-queue.ts";
import { type PlannedActions, plannedActions, sumOf } from "./planned-actions.ts";

/** What is known of a run before it begins. */
export interface RunToPlan {
  readonly topology: Topology;
  readonly items: number;
  /** The items of a page of the source. */
  readonly itemsPerSourcePage: number;
  /** The bytes of an item as JSON, on average. */
  readonly itemBytes: number;
  /** How long a page of the source takes to read. */
  readonly pageMilliseconds: number;
  /** How many partitions the source has. Default: it is read as one part. */
  readonly partitions?: number | undefined;
  readonly taskMilliseconds: number;
  /** By which share of the average a task is shorter or longer, at most. */
  readonly spread: number;
  /** The share of the attempts that fail: 0 to 1. */
  readonly failures: number;
  readonly retry: RetryPolicy;
  readonly perSecond?: number | undefined;
  readonly keepsResults: boolean;
}

/** The requests of a run. */
export interface PlannedRequests {
  readonly sqs: number;
  readonly dynamoDb: number;
  readonly dynamoDbWrites: number;
  readonly dynamoDbReads: number;
  /** Invocations of both functions. */
  readonly lambda: number;
  /** 0 if the workflow keeps no results. */
  readonly s3: number;
}

/** List prices of a run, in dollars. */
export interface PlannedDollars {
  readonly sqs: number;
  readonly dynamoDb: number;
  readonly lambda: number;
  readonly s3: number;
  readonly sum: number;
}

export interface PlannedDelivery {
  readonly requests: PlannedRequests;
  /** The same requests by their action. */
  readonly actions: PlannedActions;
  readonly dollars: PlannedDollars;
}

/** What limits the speed of a run. */
export type Bound = "concurrency" | "rate limit" | "source" | "producer";

export interface Estimate {
  readonly seconds: number;
  readonly bound: Bound;
  readonly ordered: PlannedDelivery;
  readonly random: PlannedDelivery;
}

/**
 * The model simulates at most so many environments, and so many items. A larger fleet is scaled down with its items, pages and
 * backlog, and a larger run repeats what the model finds in its second half.
 */
const MODELLED = { environments: 10, leastItems: 8_000, itemsPerSlot: 12, mostItems: 40_000 } as const;

/**
 * A producer of 512 MB sends 5,000 to 7,000 messages a second on Lambda.
 * The lower number is used.
 */
const PRODUCER_PER_SECOND = 5_000;

/** The envelope of a message without its item. */
const ENVELOPE_BYTES = 180;
/** https://aws.amazon.com/sqs/pricing/ */
const BILLED_BYTES = 65_536;
/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html */
const WRITE_UNIT_BYTES = 1_024;
/** What the limit row has for each environment while a limit is in force. See `docs/guides/costs.md`. */
const SHARE_BYTES = 300;

/**
 * Lambda starts with 5 concurrent batches, and adds up to 300 in a minute.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
 */
const SCALING = { first: 5, perSecond: 5 } as const;

/**
 * Computes what a run needs, from what is known before it begins. It assumes that the share `failures` of the attempts fails,
 * evenly over the run, that each page of the source takes as long as the first one, and that partitions have the same size.
 *
 * @example estimate({ ...run, items: 1_000_000, taskMilliseconds: 300 }).ordered.dollars.sum // 0.31
 */
export function estimate(run: RunToPlan): Estimate {
  const modelled = { ordered: consumers(run, "ordered"), random: consumers(run, "random") };
  const modelledSeconds = modelled.ordered.milliseconds / 1_000;
  const lanes = lanesOf(run);
  const isPaced =
    run.perSecond !== undefined && run.perSecond * (run.taskMilliseconds / 1_000) < run.topology.concurrency;
  const bounds: readonly (readonly [Bound, number])[] = [
    [isPaced ? "rate limit" : "concurrency", workSecondsOf(run)],
    ["source", (sourcePages(run) * run.pageMilliseconds) / 1_000 / lanes],
    ["producer", run.items / PRODUCER_PER_SECOND / lanes],
  ];
  const [bound] = bounds.reduce((slowest, each) => (each[1] > slowest[1] ? each : slowest));
  // If the source or the producer is slowest, the environments wait for messages, so it does not matter that they start slowly.
  const seconds = bound === "concurrency" || bound === "rate limit" ? withRamp(run, modelledSeconds) : modelledSeconds;
  return {
    seconds,
    bound,
    ordered: delivery(run, modelled.ordered, seconds),
    random: delivery(run, modelled.random, seconds),
  };
}

/** How many partitions are read at the same time. */
const lanesOf = ({ partitions = 1, topology }: RunToPlan): number =>
  Math.max(1, Math.min(partitions, topology.producer.environments - 1));

const sourcePages = (run: RunToPlan): number => (run.partitions ?? 1) * sourcePagesOfPartition(shapeOf(run));

const shapeOf = ({ items, itemsPerSourcePage, partitions = 1 }: RunToPlan): SourceShape => ({
  items,
  itemsPerSourcePage,
  partitions,
});

/** How many attempts an item has, on average. */
const attemptsPerItem = ({ failures, retry }: RunToPlan): number =>
  failures === 1 ? retry.attempts : (1 - failures ** retry.attempts) / (1 - failures);

/** How long the attempts take if all slots are always busy, or as many attempts start as the rate allows. */
function workSecondsOf(run: RunToPlan): number {
  const { items, taskMilliseconds, topology, perSecond = Number.POSITIVE_INFINITY } = run;
  const attempts = items * attemptsPerItem(run);
  return Math.max((attempts * taskMilliseconds) / 1_000 / topology.concurrency, attempts / perSecond);
}

/** What the consumers do, simulated for a part of the fleet and of the run. */
function consumers(run: RunToPlan, order: Delivery): FleetCounts {
  const { taskMilliseconds, spread, failures, retry, keepsResults, perSecond } = run;
  const scale = scaleOf(run);
  const topology = scaled(run.topology, scale);
  // A producer sends only so many messages in a second, however fast its source is.
  const pageMilliseconds = Math.max(run.pageMilliseconds, (1_000 * run.itemsPerSourcePage) / PRODUCER_PER_SECOND);
  const model = (items: number) => {
    // Only a part of the partitions has so few items.
    const share = run.items === 0 ? 1 : items / run.items;
    const partitions = Math.max(1, Math.round((run.partitions ?? 1) * share));
    return modelFleet({
      ...{ topology, scale, keepsResults, delivery: order },
      source: { ...shapeOf(run), items, partitions, pageMilliseconds, lanes: lanesOf(run) },
      tasks: {
        ...{ milliseconds: taskMilliseconds, spread, failures, retry },
        perSecond: perSecond === undefined ? undefined : perSecond * scale,
      },
    });
  };
  const enough = Math.max(
    MODELLED.leastItems,
    MODELLED.itemsPerSlot * topology.concurrency,
    order === "random" ? 3 * topology.maxBacklog : 0,
  );
  const most = Math.floor(Math.min(enough, MODELLED.mostItems) / scale);
  if (run.items <= most) return times(model(run.items), 1 / scale);
  const whole = model(most);
  const half = model(most / 2);
  const factor = (run.items - most) / (most / 2);
  const counts = { ...whole };
  for (const key of Object.keys(whole) as (keyof FleetCounts)[]) counts[key] += factor * (whole[key] - half[key]);
  return times(counts, 1 / scale);
}

/** Which part of the fleet is simulated: 0 to 1. A fleet whose slots all take few items is simulated as it is. */
function scaleOf({ items, topology: { environments, concurrency } }: RunToPlan): number {
  return environments <= MODELLED.environments || items < 2 * concurrency ? 1 : MODELLED.environments / environments;
}

function scaled(whole: Topology, scale: number): Topology {
  const environments = Math.round(whole.environments * scale);
  const maxBacklog = Math.ceil(whole.maxBacklog * scale);
  return { ...whole, environments, concurrency: environments * whole.tasksPerEnvironment, maxBacklog };
}

/** The counts of a fleet of another size, which takes as long. */
function times(counts: FleetCounts, factor: number): FleetCounts {
  const all = { ...counts };
  for (const key of Object.keys(all) as (keyof FleetCounts)[]) if (key !== "milliseconds") all[key] *= factor;
  return all;
}

/** How long the tasks take, with the time in which Lambda adds environments. */
function withRamp({ topology: { environments } }: RunToPlan, seconds: number): number {
  const { first, perSecond } = SCALING;
  if (environments <= first) return seconds;
  const rampSeconds = (environments - first) / perSecond;
  const ramped = first * rampSeconds + (perSecond * rampSeconds ** 2) / 2;
  const work = seconds * environments;
  if (work > ramped) return rampSeconds + (work - ramped) / environments;
  return Math.max(seconds, (-first + Math.sqrt(first ** 2 + 2 * perSecond * work)) / perSecond);
}

function delivery(run: RunToPlan, fleet: FleetCounts, seconds: number): PlannedDelivery {
  const { topology, items } = run;
  const messageBytes = run.itemBytes + ENVELOPE_BYTES;
  const perRequest = Math.max(1, Math.min(LARGEST_BATCH.entries, Math.floor(LARGEST_BATCH.bytes / messageBytes)));
  const lanes = lanesOf(run);
  const actions = plannedActions({
    ...{ fleet, topology, seconds, lanes, messagesPerRequest: perRequest },
    ...{ items, pages: countLedgerPages(shapeOf(run)), sourcePages: sourcePages(run), partitions: run.partitions },
    pageSeconds: run.pageMilliseconds / 1_000,
    keepsResults: run.keepsResults,
  });
  const { sqs, dynamoDb, s3, controlMessages, slices } = actions;
  const updates = dynamoDb.UpdateItem;
  const reads = sumOf(dynamoDb) - updates;
  const requested = sumOf(sqs);

  const extraChunks = (count: number, bytes: number) => count * (Math.max(1, Math.ceil(bytes / BILLED_BYTES)) - 1);
  const billed =
    requested +
    extraChunks(sqs.SendMessageBatch, perRequest * messageBytes) +
    extraChunks(sqs.ReceiveMessage, (items / Math.max(1, sqs.ReceiveMessage)) * messageBytes);
  const limitUnits =
    run.perSecond === undefined ? 1 : 1 + Math.ceil((SHARE_BYTES * topology.environments) / WRITE_UNIT_BYTES);
  const prices = PRICES;
  const gigabyteSeconds =
    (fleet.environmentMilliseconds / 1_000) * (topology.consumer.memoryMb / 1_024) +
    actions.producerSeconds * (topology.producer.memoryMb / 1_024);
  const lambda = fleet.invocations + controlMessages + slices;
  const dollars = {
    sqs:
      billed * prices.sqs.standardRequest +
      FIFO_REQUESTS * (controlMessages + slices) * (prices.sqs.fifoRequest - prices.sqs.standardRequest),
    dynamoDb:
      (updates + actions.limitUpdates * (limitUnits - 1)) * prices.dynamoDb.writeUnit +
      reads * prices.dynamoDb.readUnit,
    lambda: gigabyteSeconds * prices.lambda.arm64GigabyteSecond + lambda * prices.lambda.request,
    s3: (s3.PutObject + s3.ListObjectsV2) * prices.s3.write + s3.GetObject * prices.s3.read,
  };
  return {
    requests: {
      sqs: Math.round(requested),
      dynamoDb: Math.round(updates + reads),
      dynamoDbWrites: Math.round(updates),
      dynamoDbReads: Math.round(reads),
      lambda: Math.round(lambda),
      s3: Math.round(sumOf(s3)),
    },
    actions,
    dollars: { ...dollars, sum: dollars.sqs + dollars.dynamoDb + dollars.lambda + dollars.s3 },
  };
}

/** A message of the control queue is sent, received, hidden and deleted. */
const FIFO_REQUESTS = 4;
