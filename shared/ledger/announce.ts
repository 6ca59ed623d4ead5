import type { Queue } from "../aws/queue.ts";
import { completeEntry } from "../messages/control.ts";
import type { Announce } from "./roll-up.ts";

/** Announces the end of a run on the control queue, which drops an announcement that it already has. */
export const announceOn =
  (controlQueue: Pick<Queue, "sendControl">): Announce =>
  (ended) =>
    controlQueue.sendControl(completeEntry(ended));
