import { NODE_FLAGS } from "../../base/node-flags.ts";

/** How much memory the consumer and the processes of isolated attempts get. All in MB. */
export interface IsolationMemory {
  /** For the consumer's own process and the tasks that run in it. */
  readonly consumerMb: number;
  /** How many processes may run at once. */
  readonly processes: number;
  /** For each process, in total. */
  readonly processMb: number;
  /** The part of `processMb` that V8's old generation may take: the memory of objects that an attempt keeps. */
  readonly heapMb: number;
}

/** Resident memory of a consumer that has run tasks: 125 MB, measured. */
const CONSUMER_MB = 128;

/** The consumer's share of the function's memory: other tasks run in it. */
const CONSUMER_SHARE = 0.5;

/** Resident memory of a process that is ready for its attempt, without its heap: 64 of 76 MB, measured. */
const PROCESS_BASE_MB = 64;

/** V8's young generation is three semi-spaces. */
const SEMI_SPACE_MB = 4;
const YOUNG_MB = 3 * SEMI_SPACE_MB;

/** The share of a process's remaining memory for V8's old generation. V8 does not limit buffers and native code: the rest is for them. */
const HEAP_SHARE = 0.8;

/** Another process is added only if each has this much. With less, a process has too little memory to run a task. */
const MB_PER_PROCESS = 256;

/** More processes help little, because few items are suspects. More memory for each process helps more. */
const MOST_PROCESSES = 4;

/** V8 needs this much to load a workflow and to run a small task. */
const SMALLEST_HEAP_MB = 32;

/** The smallest process that runs an attempt. */
const SMALLEST_PROCESS_MB = PROCESS_BASE_MB + YOUNG_MB + SMALLEST_HEAP_MB / HEAP_SHARE;

/**
 * Divides a function's memory between its consumer and the processes of isolated attempts. Together they use no more
 * than that memory. A function of less than 244 MB has no room for a process beside its consumer: it gets one process
 * with the smallest heap. See `docs/internals/poison.md`.
 *
 * @param memoryMb The function's memory.
 * @param alone Whether no other isolated attempt may run at the same time. Such an attempt gets the memory of all
 *   processes.
 * @example isolationMemory(1_024) // { consumerMb: 512, processes: 2, processMb: 256, heapMb: 144 }
 */
export function isolationMemory(memoryMb: number, alone = false): IsolationMemory {
  const consumerMb = Math.max(CONSUMER_MB, Math.ceil(CONSUMER_SHARE * memoryMb));
  const rest = memoryMb - consumerMb;
  const fitting = Math.floor(rest / MB_PER_PROCESS);
  const processes = alone ? 1 : Math.min(MOST_PROCESSES, Math.max(1, fitting));
  const processMb = Math.max(SMALLEST_PROCESS_MB, Math.floor(rest / processes));
  const heapMb = Math.floor(HEAP_SHARE * (processMb - PROCESS_BASE_MB - YOUNG_MB));
  return { consumerMb, processes, processMb, heapMb };
}

/** Node's flags for the process of an isolated attempt. If a flag is there twice, Node uses the last one. */
export const isolationFlags = ({ heapMb }: IsolationMemory): readonly string[] => [
  ...NODE_FLAGS,
  `--max-old-space-size=${heapMb}`,
  `--max-semi-space-size=${SEMI_SPACE_MB}`,
  "--no-warnings",
];
