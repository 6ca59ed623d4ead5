import type { Database } from "./database.ts";
import type { Faults } from "./faults.ts";
import type { Queue, Queues } from "./queues.ts";

/** What the parts of the store share. */
export interface StoreContext {
  readonly database: Database;
  readonly queues: Queues;
  readonly faults: Faults;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** To be told whenever a message may have become receivable, now or earlier than before. */
  readonly changed: (queue: Queue) => void;
}
