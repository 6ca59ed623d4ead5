/**
 * Node's flags for the functions, on Lambda as on the embedded engine.
 *
 * - Stacks name the lines of the workflow's own file, and not of its bundle.
 * - V8 lets its young generation grow until a function that handles many small objects holds 100 MB more, most of it
 *   garbage, and is no faster for it (`npm run bench -- --only producer`). In MB, of each of its half-spaces.
 * - V8 gets one thread beside the main one, and not four, to compile and to collect garbage: most functions have a
 *   core or less, which more threads only share.
 */
export const NODE_FLAGS = ["--enable-source-maps", "--max-semi-space-size=8", "--v8-pool-size=1"] as const;
