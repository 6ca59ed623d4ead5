import type { Queue } from "../aws/queue.ts";
import { completeEntry } from "../messages/control.ts";
import type { Announce } from "./roll-up.ts";

/** Tells a run's end by the control queue, which drops what it was told before. */
export const announceOn =
  (controlQueue: Pick<Queue, "sendControl">): Announce =>
  (ended) =>
    controlQueue.sendControl(completeEntry(ended));
