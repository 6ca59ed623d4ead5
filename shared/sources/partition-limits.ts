/** The most partitions of a source. */
export const MOST_PARTITIONS = 10_000;

/** The id of the only partition of a source that has lost its function `partitions` since the run began. */
export const WHOLE_SOURCE = "all";
