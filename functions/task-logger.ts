import type { Logger } from "@aws-lambda-powertools/logger";
import type { TaskLogger } from "../shared/task.ts";

/** A logger whose lines all carry some fields. Cheaper than a child logger, of which each task would need one. */
export function taskLogger(logger: Logger, bound: Readonly<Record<string, string | number>> = {}): TaskLogger {
  return {
    debug: (message, fields) => logger.debug(message, { ...bound, ...fields }),
    info: (message, fields) => logger.info(message, { ...bound, ...fields }),
    warn: (message, fields) => logger.warn(message, { ...bound, ...fields }),
    error: (message, fields) => logger.error(message, { ...bound, ...fields }),
  };
}
