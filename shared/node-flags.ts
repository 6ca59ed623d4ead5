/**
 * Node's flags for the functions, on Lambda as on the embedded engine.
 *
 * - Stacks name the lines of the workflow's own file, and not of its bundle.
 * - V8 lets its young generation grow until a function that handles many small objects holds 100 MB more, most of it
 *   garbage, and is no faster for it (`npm run bench -- --only producer`). In MB, of each of its half-spaces.
 */
export const NODE_FLAGS = ["--enable-source-maps", "--max-semi-space-size=8"] as const;
