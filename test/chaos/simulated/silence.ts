import type { Metrics } from "../../../shared/base/metrics.ts";
import type { TaskLogger } from "../../../shared/base/task.ts";

const nothing = () => {};

/** A logger that writes nothing: the journal says what happened. */
export const SILENT: TaskLogger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** Metrics that nobody looks at. */
export const UNCOUNTED: Metrics = { count: nothing, duration: nothing, peak: nothing };
