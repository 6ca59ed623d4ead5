import { defineWorkflow } from "../../shared/index.ts";
import noop from "./noop.ts";

/**
 * The `noop` workflow in the setting for tasks of less than a few milliseconds: large batches of equally fast tasks.
 */
export default defineWorkflow({
  name: "noop-batches",
  source: noop.source,
  task: () => {},
  concurrency: 200,
  tasksPerEnvironment: 100,
  refill: false,
  maxBacklog: 99_800,
  timeout: { seconds: 5 },
});
