import type { Database } from "./database.ts";
import type { Faults } from "./injected-faults.ts";
import type { Queue, QueueRegistry } from "./queue-registry.ts";

/** What all parts of the store use. */
export interface StoreContext {
  readonly database: Database;
  readonly queues: QueueRegistry;
  readonly faults: Faults;
  /** From how many visible messages of a standard queue a receive picks at random. `undefined`: it keeps their order. */
  readonly randomWindow: number | undefined;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Must be called when a message may have become receivable, or will become so earlier than before. */
  readonly changed: (queue: Queue) => void;
}
