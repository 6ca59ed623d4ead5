import type { Metrics } from "../shared/base/metrics.ts";
import type { TaskLogger } from "../shared/base/task.ts";

/** Writes nothing. */
export const SILENT_LOGGER: TaskLogger = { debug() {}, info() {}, warn() {}, error() {} };

/** Counts nothing. */
export const NO_METRICS: Metrics = { count() {}, duration() {}, peak() {} };
