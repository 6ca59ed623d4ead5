import { NODE_FLAGS } from "../../shared/base/node-flags.ts";

/** The part of a function's memory that V8's heap gets. Lambda's limit counts the whole process. */
const HEAP_SHARE = 0.9;

/** Node's flags for an environment of a function with so much memory. */
export const functionFlags = (memoryMb: number): readonly string[] => [
  `--max-old-space-size=${Math.floor(memoryMb * HEAP_SHARE)}`,
  ...NODE_FLAGS,
];
