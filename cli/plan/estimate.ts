import { PRICES } from "../../shared/aws/prices.ts";
import { LARGEST_MESSAGE_BYTES } from "../../shared/aws/quotas.ts";
import { ITEMS_PER_PAGE } from "../../shared/base/items-per-page.ts";
import type { Topology } from "../../shared/definition/topology.ts";
import { type Delivery, type FleetCounts, modelFleet } from "./fleet-model.ts";

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

/** What a run needs once, whatever its size: its start, its end, and the announcement of its end. */
const ONCE = { sqs: 12, fifo: 9, updates: 11, reads: 4, invocations: 3 } as const;

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

/**
 * What a partition and a lane of a run need, beside their pages. Metered with `bench/workflows/pages.ts`: 8,000 items in 2, 8, 32
 * and 80 partitions, against the same items as one part.
 */
const PER_PARTITION = { updates: 20, reads: 6, sqs: 1 } as const;
const PER_LANE = { sqs: 6, invocations: 2 } as const;

/** The envelope of a message without its item. */
const ENVELOPE_BYTES = 180;
/** https://aws.amazon.com/sqs/pricing/ */
const BILLED_BYTES = 65_536;
const MESSAGES_PER_REQUEST = 10;
/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html */
const WRITE_UNIT_BYTES = 1_024;
/** What the limit row has for each environment while a limit is in force. See `docs/guides/costs.md`. */
const SHARE_BYTES = 300;
/** The limit row is updated at most so often in a second. See `docs/internals/limits.md`. */
const MOST_LIMIT_UPDATES_PER_SECOND = 200;
/** Pages of the ledger in a block. */
const PAGES_PER_BLOCK = 1_000;

/**
 * Lambda starts with 5 concurrent batches, and adds up to 300 in a minute.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
 */
const SCALING = { first: 5, perSecond: 5 } as const;

/**
 * Computes what a run needs, from what is known before it begins. It assumes that every item succeeds at its first attempt.
 *
 * @example estimate({ ...run, items: 1_000_000, taskMilliseconds: 300 }).ordered.dollars.sum // 0.31
 */
export function estimate(run: RunToPlan): Estimate {
  const modelled = { ordered: consumers(run, "ordered"), random: consumers(run, "random") };
  const work = workSeconds(run, modelled.ordered.milliseconds / 1_000);
  const pages = Math.ceil(run.items / run.itemsPerSourcePage);
  const bounds: readonly (readonly [Bound, number])[] = [
    [run.perSecond === undefined || !isPaced(run) ? "concurrency" : "rate limit", work],
    ["source", (pages * run.pageMilliseconds) / 1_000 / lanesOf(run)],
    ["producer", run.items / PRODUCER_PER_SECOND / lanesOf(run)],
  ];
  const [bound, seconds] = bounds.reduce((slowest, each) => (each[1] > slowest[1] ? each : slowest));
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

/** Whether the rate limit, and not the slots, decides how many tasks start. */
const isPaced = ({ perSecond = Number.POSITIVE_INFINITY, topology, taskMilliseconds }: RunToPlan): boolean =>
  perSecond * (taskMilliseconds / 1_000) < topology.concurrency;

/** What the consumers do, simulated for a part of the fleet and of the run. */
function consumers(run: RunToPlan, order: Delivery): FleetCounts {
  const { taskMilliseconds, spread, keepsResults } = run;
  const scale = scaleOf(run);
  const topology = scaled(run.topology, scale);
  const fleet = {
    ...{ topology, taskMilliseconds, spread, delivery: order, keepsResults },
    itemsPerPage: itemsPerPage(run) * scale,
    perSecond: run.perSecond === undefined ? undefined : run.perSecond * scale,
  };
  const items = Math.ceil(run.items * scale);
  const enough = Math.max(
    MODELLED.leastItems,
    MODELLED.itemsPerSlot * topology.concurrency,
    order === "random" ? 3 * topology.maxBacklog : 0,
  );
  const most = Math.min(enough, MODELLED.mostItems);
  if (items <= most) return times(modelFleet({ ...fleet, items }), 1 / scale);
  const whole = modelFleet({ ...fleet, items: most });
  const half = modelFleet({ ...fleet, items: most / 2 });
  const factor = (items - most) / (most / 2);
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

/** A page of the source that is larger than one of the ledger is divided. */
function itemsPerPage({ itemsPerSourcePage }: RunToPlan): number {
  return itemsPerSourcePage / Math.ceil(itemsPerSourcePage / ITEMS_PER_PAGE);
}

/** How long the tasks take, with the time in which Lambda adds environments. */
function workSeconds({ topology: { environments } }: RunToPlan, seconds: number): number {
  const { first, perSecond } = SCALING;
  if (environments <= first) return seconds;
  const rampSeconds = (environments - first) / perSecond;
  const ramped = first * rampSeconds + (perSecond * rampSeconds ** 2) / 2;
  const work = seconds * environments;
  if (work > ramped) return rampSeconds + (work - ramped) / environments;
  return Math.max(seconds, (-first + Math.sqrt(first ** 2 + 2 * perSecond * work)) / perSecond);
}

function delivery(run: RunToPlan, fleet: FleetCounts, seconds: number): PlannedDelivery {
  const { topology, items, keepsResults } = run;
  const messageBytes = run.itemBytes + ENVELOPE_BYTES;
  const perRequest = Math.max(1, Math.min(MESSAGES_PER_REQUEST, Math.floor(LARGEST_MESSAGE_BYTES / messageBytes)));
  const pages = Math.ceil(items / itemsPerPage(run));
  const fills = Math.max(0, Math.ceil((items - topology.maxBacklog) / (topology.maxBacklog / 2)));
  const slices = Math.max(fills, Math.ceil(seconds / topology.producer.sliceSeconds) - 1, 0) * (fills > 0 ? 1 : 0);
  const sends = Math.ceil(items / perRequest);
  const { partitions = 0 } = run;
  const lanes = partitions === 0 ? 0 : lanesOf(run);
  const sqs =
    ONCE.sqs +
    partitions * PER_PARTITION.sqs +
    lanes * PER_LANE.sqs +
    sends +
    4 * slices +
    fleet.receives +
    fleet.deletes +
    fleet.mappingRequests +
    fleet.visibilityChanges +
    fleet.depthRequests;
  // One more update in each second begins the next epoch.
  const activeSeconds = fleet.environmentMilliseconds / 1_000;
  const limitUpdates = Math.min(activeSeconds + seconds, (MOST_LIMIT_UPDATES_PER_SECOND + 1) * seconds);
  // A page is written, gets a checkpoint, and is entered into its block when it is complete.
  const updates =
    ONCE.updates +
    partitions * PER_PARTITION.updates +
    3 * pages +
    2 * Math.ceil(pages / PAGES_PER_BLOCK) +
    2 * slices +
    fleet.outcomeWrites +
    limitUpdates;
  const reads = ONCE.reads + partitions * PER_PARTITION.reads + fleet.runReads;
  // The compaction reads each object once.
  const objects = keepsResults ? fleet.resultObjects : 0;
  const s3Writes = keepsResults ? objects * 1.002 + 4 : 0;
  const invocations = ONCE.invocations + lanes * PER_LANE.invocations + fleet.invocations + slices;

  const extraChunks = (count: number, bytes: number) => count * (Math.max(1, Math.ceil(bytes / BILLED_BYTES)) - 1);
  const billed =
    sqs +
    extraChunks(sends, perRequest * messageBytes) +
    extraChunks(fleet.receives, (items / Math.max(1, fleet.receives)) * messageBytes);
  const limitUnits =
    run.perSecond === undefined ? 1 : 1 + Math.ceil((SHARE_BYTES * topology.environments) / WRITE_UNIT_BYTES);
  const { sqs: sqsPrices, lambda, dynamoDb, s3 } = PRICES;
  const producerSeconds = items / PRODUCER_PER_SECOND + 2 * Math.max(1, lanes);
  const gigabyteSeconds =
    activeSeconds * (topology.consumer.memoryMb / 1_024) + producerSeconds * (topology.producer.memoryMb / 1_024);
  const dollars = {
    sqs:
      billed * sqsPrices.standardRequest +
      (ONCE.fifo + 4 * slices) * (sqsPrices.fifoRequest - sqsPrices.standardRequest),
    dynamoDb: (updates + limitUpdates * (limitUnits - 1)) * dynamoDb.writeUnit + reads * dynamoDb.readUnit,
    lambda: gigabyteSeconds * lambda.arm64GigabyteSecond + invocations * lambda.request,
    s3: s3Writes * s3.write + objects * s3.read,
  };
  return {
    requests: {
      sqs: Math.round(sqs),
      dynamoDb: Math.round(updates + reads),
      dynamoDbWrites: Math.round(updates),
      dynamoDbReads: Math.round(reads),
      lambda: Math.round(invocations),
      s3: Math.round(s3Writes + objects),
    },
    dollars: { ...dollars, sum: dollars.sqs + dollars.dynamoDb + dollars.lambda + dollars.s3 },
  };
}
