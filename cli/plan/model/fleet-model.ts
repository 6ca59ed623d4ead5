import type { RetryPolicy } from "../../../shared/base/retry.ts";
import type { Topology } from "../../../shared/definition/topology.ts";
import type { SourceShape } from "./ledger-pages.ts";
import { ModelledEnvironment } from "./modelled-environment.ts";
import { type Delivery, ModelledQueue } from "./modelled-queue.ts";
import { ModelledSource } from "./modelled-source.ts";
import { VirtualClock } from "./virtual-clock.ts";

/** What is simulated. */
export interface ModelledFleet {
  readonly topology: Topology;
  readonly source: SourceShape & {
    /** How long a page of the source takes to read. */
    readonly pageMilliseconds: number;
    /** How many partitions are read at the same time. */
    readonly lanes: number;
  };
  /** Which part of each page is sent, if `topology` is only a part of the fleet: 0 to 1. */
  readonly scale: number;
  readonly tasks: ModelledTasks;
  readonly delivery: Delivery;
  readonly keepsResults: boolean;
}

/** How the attempts of a run behave. */
export interface ModelledTasks {
  /** How long an attempt takes, on average. */
  readonly milliseconds: number;
  /** By which share of the average an attempt is shorter or longer, at most: 0 to 1. All durations between are equally likely. */
  readonly spread: number;
  /** The share of the attempts that fail: 0 to 1. */
  readonly failures: number;
  readonly retry: RetryPolicy;
  /** The most attempts that start in a second. `undefined`: as many as slots are free. */
  readonly perSecond?: number | undefined;
}

/** What the consumers of a run do, in counts. */
export interface FleetCounts {
  /** From the start of the run to the end of the last attempt. */
  milliseconds: number;
  /** The time for which environments work, in total: what Lambda bills. */
  environmentMilliseconds: number;
  invocations: number;
  /** Requests that event source mappings make: a receive for each invocation, and a deletion for each ten messages. */
  mappingRequests: number;
  receives: number;
  deletes: number;
  visibilityChanges: number;
  /** Messages of failed attempts that return to the queue. */
  returns: number;
  depthRequests: number;
  /** Writes of successes. */
  outcomeWrites: number;
  /** Writes of failed attempts, and of items that die. */
  failureWrites: number;
  deadLetters: number;
  /** Reads of the run's row. */
  runReads: number;
  /** Reads of what is known of items that were received before, one for all items that are received together. */
  itemReads: number;
  /** The rows of these reads. */
  readRows: number;
  /** Objects with results. */
  resultObjects: number;
}

/** What the environments of a fleet share. */
export interface Fleet extends ModelledFleet {
  readonly clock: VirtualClock;
  readonly queue: ModelledQueue;
  readonly pages: ModelledSource;
  readonly counts: FleetCounts;
  /** How often attempts of an item have failed. Items without a failure are missing. */
  readonly failures: Map<number, number>;
}

/**
 * Simulates the producers and the consumers of a run: when messages are sent, which slots are free, what the consumers receive,
 * and how they record and delete. The decisions are those of the consumer (`refill-policy.ts`, `recording-limits.ts`), and
 * nothing is sent. `estimate` simulates a part of a large run.
 *
 * The producer sends up to `maxBacklog` messages, and continues as soon as there is room.
 */
export function modelFleet(modelled: ModelledFleet): FleetCounts {
  const { topology, source, scale, delivery } = modelled;
  const clock = new VirtualClock();
  const queue = new ModelledQueue(clock, delivery);
  const pages = new ModelledSource(clock, queue, { ...source, scale, maxBacklog: topology.maxBacklog });
  const fleet: Fleet = { ...modelled, clock, queue, pages, counts: noCounts(), failures: new Map() };
  for (let each = 0; each < topology.environments; each++) new ModelledEnvironment(fleet).waitForBatch();
  pages.begin();
  clock.run();
  return fleet.counts;
}

const noCounts = (): FleetCounts => ({
  milliseconds: 0,
  environmentMilliseconds: 0,
  invocations: 0,
  mappingRequests: 0,
  receives: 0,
  deletes: 0,
  visibilityChanges: 0,
  returns: 0,
  depthRequests: 0,
  outcomeWrites: 0,
  failureWrites: 0,
  deadLetters: 0,
  runReads: 0,
  itemReads: 0,
  readRows: 0,
  resultObjects: 0,
});
