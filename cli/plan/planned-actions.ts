import { MOST_BATCH_GET_KEYS, MOST_DELETED_OBJECTS, MOST_LISTED_KEYS } from "../../shared/aws/quotas.ts";
import type { Topology } from "../../shared/definition/topology.ts";
import { PAGES_PER_BLOCK } from "../../shared/ledger/keys.ts";
import { SAMPLE_MILLISECONDS } from "../../shared/producer/backlog.ts";
import type { FleetCounts } from "./model/fleet-model.ts";

/** What decides how many requests a run makes. */
export interface RunInActions {
  readonly fleet: FleetCounts;
  readonly topology: Topology;
  readonly seconds: number;
  readonly items: number;
  /** The pages of the ledger. */
  readonly pages: number;
  readonly sourcePages: number;
  /** How long a page of the source takes to read. */
  readonly pageSeconds: number;
  readonly partitions: number | undefined;
  readonly lanes: number;
  readonly messagesPerRequest: number;
  readonly keepsResults: boolean;
}

/** The requests of a run, by the names of the actions. */
export interface PlannedActions {
  readonly sqs: {
    readonly SendMessage: number;
    readonly SendMessageBatch: number;
    readonly ReceiveMessage: number;
    readonly DeleteMessageBatch: number;
    readonly ChangeMessageVisibility: number;
    readonly ChangeMessageVisibilityBatch: number;
    readonly GetQueueAttributes: number;
    /** Receives and deletions of the event source mappings, without those that find the queue empty. */
    readonly mapping: number;
  };
  readonly dynamoDb: { readonly UpdateItem: number; readonly GetItem: number; readonly BatchGetItem: number };
  readonly s3: {
    readonly PutObject: number;
    readonly GetObject: number;
    readonly ListObjectsV2: number;
    readonly DeleteObjects: number;
  };
  /** Messages of the control queue. Each is an invocation of the producer. */
  readonly controlMessages: number;
  /** How often a producer continues because the queue was full. */
  readonly slices: number;
  /** Those of the updates that are of the limit row. */
  readonly limitUpdates: number;
  /** The time for which producers work, in total. */
  readonly producerSeconds: number;
}

export const sumOf = (actions: Readonly<Record<string, number>>): number =>
  Object.values(actions).reduce((sum, count) => sum + count, 0);

/** What a run needs once, whatever its size: its start, its end, and the announcement of its end. */
const ONCE = { updates: 11, reads: 4, controlMessages: 3, depthRequests: 1 } as const;

/** What a partition needs beside its pages. Metered: see `planned-main.ts` in `test/chaos/simulated`. */
const PER_PARTITION = { updates: 11, reads: 5, depthRequests: 1 } as const;

/** The limit row is updated at most so often in a second. See `docs/internals/limits.md`. */
const MOST_LIMIT_UPDATES_PER_SECOND = 200;

/** Counts the requests of a run. */
export function plannedActions(run: RunInActions): PlannedActions {
  const { fleet, topology, seconds, items, pages, partitions = 0, lanes, keepsResults } = run;
  const { sliceSeconds, visibilitySeconds } = topology.producer;
  const readSeconds = (run.sourcePages * run.pageSeconds) / lanes;
  const fills = Math.max(0, Math.ceil((items - topology.maxBacklog) / (topology.maxBacklog / 2)));
  // A slice ends after a minute, or because the queue is full.
  const slices = fills > 0 ? Math.max(fills, Math.ceil(seconds / sliceSeconds) - 1) : 0;
  const furtherSlices = lanes * Math.max(0, Math.ceil(readSeconds / sliceSeconds) - 1);
  const controlMessages =
    ONCE.controlMessages + (partitions === 0 ? 0 : lanes) + furtherSlices + (keepsResults ? 1 : 0);
  const renewals = lanes * Math.floor((3 * readSeconds) / visibilitySeconds);
  const samples =
    ONCE.depthRequests +
    partitions * PER_PARTITION.depthRequests +
    (lanes > 1 ? lanes * Math.floor(readSeconds / Math.max(SAMPLE_MILLISECONDS / 1_000, run.pageSeconds)) : 0);
  // One more update in each second begins the next epoch.
  const activeSeconds = fleet.environmentMilliseconds / 1_000;
  const limitUpdates = Math.min(activeSeconds + seconds, (MOST_LIMIT_UPDATES_PER_SECOND + 1) * seconds);
  const objects = keepsResults ? fleet.resultObjects : 0;
  const parts = keepsResults ? 1 : 0;
  return {
    sqs: {
      SendMessage: controlMessages,
      SendMessageBatch: Math.ceil(items / run.messagesPerRequest) + fleet.deadLetters,
      ReceiveMessage: fleet.receives,
      DeleteMessageBatch: fleet.deletes,
      ChangeMessageVisibility: controlMessages + renewals + 2 * slices + fleet.returns,
      ChangeMessageVisibilityBatch: fleet.visibilityChanges,
      GetQueueAttributes: samples + fleet.depthRequests + slices,
      mapping: fleet.mappingRequests + 2 * controlMessages + slices,
    },
    dynamoDb: {
      // A page is written, gets a checkpoint, and is entered into its block when it is complete.
      UpdateItem:
        ONCE.updates +
        partitions * PER_PARTITION.updates +
        3 * pages +
        2 * Math.ceil(pages / PAGES_PER_BLOCK) +
        2 * slices +
        fleet.outcomeWrites +
        fleet.failureWrites +
        limitUpdates,
      // With each checkpoint of a partition, its producer reads the status of the run.
      GetItem: ONCE.reads + (partitions === 0 ? 0 : partitions * PER_PARTITION.reads + pages) + fleet.runReads,
      // The compaction of the results reads the rows of many pages together.
      BatchGetItem: fleet.itemReads + (keepsResults ? Math.ceil(pages / MOST_BATCH_GET_KEYS) : 0),
    },
    s3: {
      PutObject: objects + 2 * parts,
      GetObject: objects + parts,
      ListObjectsV2: parts * Math.ceil(objects / MOST_LISTED_KEYS),
      DeleteObjects: parts * Math.ceil(objects / MOST_DELETED_OBJECTS),
    },
    controlMessages,
    slices,
    limitUpdates,
    producerSeconds: Math.max(1, lanes) * Math.max(2, readSeconds),
  };
}
