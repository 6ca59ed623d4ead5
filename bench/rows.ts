import type { Row } from "./harness/row.ts";
import { coldStart } from "./rows/cold-start.ts";
import { deadLetters } from "./rows/dead-letters.ts";
import { durations } from "./rows/durations.ts";
import { lanes } from "./rows/lanes.ts";
import { limits } from "./rows/limits.ts";
import { memory } from "./rows/memory.ts";
import { noop } from "./rows/noop.ts";
import { overhead } from "./rows/overhead.ts";
import { postgres } from "./rows/postgres.ts";
import { producer } from "./rows/producer.ts";
import { requests } from "./rows/requests.ts";
import { results } from "./rows/results.ts";
import { resultsMemory } from "./rows/results-memory.ts";
import { resultsRead } from "./rows/results-read.ts";
import { resultsStorage } from "./rows/results-storage.ts";
import { seconds } from "./rows/seconds.ts";
import { startUp } from "./rows/start-up.ts";

export const ROWS: readonly Row[] = [
  seconds,
  durations,
  noop,
  results,
  resultsStorage,
  resultsRead,
  resultsMemory,
  producer,
  lanes,
  postgres,
  overhead,
  memory,
  coldStart,
  deadLetters,
  requests,
  startUp,
  limits,
];
