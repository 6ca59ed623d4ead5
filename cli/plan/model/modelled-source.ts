import { LARGEST_BATCH } from "../../../shared/aws/quotas.ts";
import { itemsOfSourcePage, ledgerPages, type SourceShape, sourcePagesOfPartition } from "./ledger-pages.ts";
import type { ModelledQueue } from "./modelled-queue.ts";
import { REQUEST_MILLISECONDS } from "./request-time.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** A source and the producers that read it. */
export interface ModelledSourceOptions extends SourceShape {
  /** How long a page of the source takes to read. */
  readonly pageMilliseconds: number;
  /** How many partitions are read at the same time. */
  readonly lanes: number;
  readonly maxBacklog: number;
  /** Which part of each page is sent, if only a part of the fleet is simulated: 0 to 1. */
  readonly scale: number;
}

/** The requests between the last page of a partition and the first read of the next one. */
const PARTITION_MILLISECONDS = 16 * REQUEST_MILLISECONDS;
/** The requests before the source is read: the start of the run. */
const START_MILLISECONDS = 3 * REQUEST_MILLISECONDS;

/** The pages of a partition that a lane sends, one after the other. */
interface Sending {
  /** The sizes of the pages of the ledger that are to be sent. */
  readonly sizes: number[];
  /** When the checkpoint of the page before is written. */
  checkpointedAt: number;
  /** Called when they are sent. */
  readonly goOn: () => void;
}

/** The producers of a run, in simulated time. They send the items of the source, page after page. */
export class ModelledSource {
  readonly #clock: VirtualClock;
  readonly #queue: ModelledQueue;
  readonly #options: ModelledSourceOptions;
  /** The page of the ledger of each item. */
  readonly #pages: number[] = [];
  readonly #blocked: (() => void)[] = [];
  #takenPartitions = 0;
  #activeLanes = 0;
  #ledgerPages = 0;
  /** The items of all pages so far, before they are rounded. */
  #produced = 0;

  constructor(clock: VirtualClock, queue: ModelledQueue, options: ModelledSourceOptions) {
    this.#clock = clock;
    this.#queue = queue;
    this.#options = options;
    queue.onDeleted = () => this.#unblock();
  }

  /** Whether more items may be sent. */
  get isProducing(): boolean {
    return this.#activeLanes > 0;
  }

  /** The page of the ledger that an item belongs to. */
  pageOf(item: number): number {
    return this.#pages[item] as number;
  }

  begin(): void {
    const { lanes, partitions } = this.#options;
    this.#activeLanes = Math.min(lanes, partitions);
    for (let lane = 0; lane < this.#activeLanes; lane++)
      this.#clock.at(START_MILLISECONDS, () => this.#takePartition());
  }

  #takePartition(): void {
    if (this.#takenPartitions === this.#options.partitions) {
      this.#activeLanes--;
      return;
    }
    this.#takenPartitions++;
    this.#read(0, this.#clock.now);
  }

  /**
   * Reads a page of a partition. It is read while the page before is sent.
   *
   * @param checkpointedAt When the checkpoint of the page before is written.
   */
  #read(page: number, begunAt: number, checkpointedAt = 0): void {
    const { pageMilliseconds } = this.#options;
    this.#clock.at(begunAt + pageMilliseconds, () => {
      const readAt = this.#clock.now;
      const isLast = page + 1 >= sourcePagesOfPartition(this.#options);
      const sending: Sending = {
        sizes: [...ledgerPages(itemsOfSourcePage(this.#options, page), page === 0)],
        checkpointedAt,
        goOn: () => {
          if (!isLast) this.#read(page + 1, readAt, sending.checkpointedAt);
          else this.#clock.at(sending.checkpointedAt + PARTITION_MILLISECONDS, () => this.#takePartition());
        },
      };
      this.#send(sending);
    });
  }

  /** The steps are those of `PagePipeline`: a page is written while the messages of the page before are sent. */
  #send(sending: Sending): void {
    const { sizes, goOn } = sending;
    const [size] = sizes;
    if (size === undefined) {
      goOn();
      return;
    }
    if (this.#queue.backlog >= this.#options.maxBacklog) {
      this.#blocked.push(() => this.#send(sending));
      return;
    }
    sizes.shift();
    const messages = this.#messagesOf(size);
    const writtenAt = this.#clock.now + REQUEST_MILLISECONDS;
    this.#clock.at(writtenAt + REQUEST_MILLISECONDS / 2, () => {
      for (let from = 0; from < messages.length; from += LARGEST_BATCH.entries)
        this.#queue.send(messages.slice(from, from + LARGEST_BATCH.entries));
    });
    const before = sending.checkpointedAt;
    sending.checkpointedAt = Math.max(writtenAt + REQUEST_MILLISECONDS, before) + REQUEST_MILLISECONDS;
    this.#clock.at(Math.max(writtenAt, before), () => this.#send(sending));
  }

  #messagesOf(size: number): readonly number[] {
    this.#produced += size * this.#options.scale;
    const page = this.#ledgerPages++;
    const messages: number[] = [];
    while (this.#pages.length < Math.floor(this.#produced + ROUNDING)) {
      messages.push(this.#pages.length);
      this.#pages.push(page);
    }
    return messages;
  }

  #unblock(): void {
    while (this.#queue.backlog < this.#options.maxBacklog) {
      const send = this.#blocked.shift();
      if (send === undefined) return;
      send();
    }
  }
}

/** Sums of fractions are a little less or more than whole numbers. */
const ROUNDING = 1e-6;
