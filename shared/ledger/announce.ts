import type { Queue } from "../aws/queue.ts";
import { compactEntry, completeEntry } from "../messages/control.ts";
import type { Announce } from "./roll-up.ts";

/** Makes announcements on the control queue, which drops an announcement that it already has. */
export const announceOn =
  (controlQueue: Pick<Queue, "sendControl">): Announce =>
  ({ compaction: round, ...run }) =>
    controlQueue.sendControl(round === undefined ? completeEntry(run) : compactEntry({ ...run, round, slice: 0 }));
