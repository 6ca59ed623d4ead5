/**
 * Node's flags for the functions, on Lambda and in the embedded engine.
 *
 * - `--enable-source-maps`: stack traces show lines of the workflow's own file instead of its bundle.
 * - `--max-semi-space-size`: the size of V8's young generation in MB, for each of its two halves. Without this limit, a
 *   function that handles many small objects uses 100 MB more, mostly garbage, and is not faster
 *   (`npm run bench -- --only producer`).
 * - `--v8-pool-size`: V8 uses one background thread instead of four. Most functions have one core or less, so more
 *   threads would only compete for that core.
 */
export const NODE_FLAGS = ["--enable-source-maps", "--max-semi-space-size=8", "--v8-pool-size=1"] as const;
