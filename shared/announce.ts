import type { Announce } from "./ledger/climb.ts";
import { completeEntry } from "./messages/control.ts";
import type { Queue } from "./queue.ts";

/** Tells a run's end by the control queue, which drops what it was told before. */
export const announceOn =
  (controlQueue: Pick<Queue, "sendControl">): Announce =>
  (ended) =>
    controlQueue.sendControl(completeEntry(ended));
