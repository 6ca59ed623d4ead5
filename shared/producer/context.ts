import type { ObjectStore } from "../aws/object-store.ts";
import type { Queue } from "../aws/queue.ts";
import type { Metrics } from "../base/metrics.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { CompletionOptions } from "./completion.ts";
import type { PageSender } from "./sender.ts";

/** The options of `Producer`. */
export interface ProducerOptions extends CompletionOptions {
  /** The largest number of messages in the queue. Above it the producer pauses. */
  readonly maxBacklog: number;
  /** The version of the code, which a run records when it begins. Absent if it is not known. */
  readonly codeVersion?: string | undefined;
  readonly ledger: Ledger;
  readonly queue: Queue;
  readonly controlQueue: Queue;
  readonly deadLetterQueue: Queue;
  readonly metrics: Metrics;
  /** Where results are stored. Absent: the workflow keeps none. */
  readonly resultStore?: ObjectStore | undefined;
  /** About how many bytes a part of a result set has. Default: `PART_BYTES`. */
  readonly partBytes?: number | undefined;
  /** Returns a text that no other writer of objects returns. Default: a random number. */
  readonly newId?: (() => string) | undefined;
  /** The time in milliseconds since 1970. */
  readonly now: () => number;
  /** Resolves after a time, or when the signal fires. Default: a timer. */
  readonly sleep?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

/** The options of a producer, and the sender that all handlers of its control messages share. */
export interface ProducerContext extends ProducerOptions {
  readonly sender: PageSender;
}
