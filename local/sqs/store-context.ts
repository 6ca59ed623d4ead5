import type { Database } from "./database.ts";
import type { Faults } from "./injected-faults.ts";
import type { Queue, QueueRegistry } from "./queue-registry.ts";

/** What the parts of the store share. */
export interface StoreContext {
  readonly database: Database;
  readonly queues: QueueRegistry;
  readonly faults: Faults;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** To be told whenever a message may have become receivable, now or earlier than before. */
  readonly changed: (queue: Queue) => void;
}
