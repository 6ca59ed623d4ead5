import { recordingLogger } from "./recording-metrics.ts";

/** The context of an item's first attempt, but for its signal. */
export const taskContext = (run = "r") => ({ ...plainContext(run), logger: recordingLogger() });

/** The same as it crosses to another process. */
export const plainContext = (run = "r") => ({
  attempt: 1,
  waits: 0,
  run: { id: run, workflow: "w" },
  id: `${run}/0/0`,
  redrives: 0,
  idempotencyKey: `${run}/0/0`,
});
