/** The line in a function's log before those of a run. */
export const RUN_NOTE = "the run begins or continues";
