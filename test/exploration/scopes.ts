import type { Scope } from "./scope.ts";

const TWO = { consumers: 2, producers: 1, spares: 0, completion: false, cancel: false } as const;

/** Two producers work on one run: the first producer's control message is also delivered to the second, perhaps after the first has lost it. */
const OVERLAP = { ...TWO, consumers: 1, producers: 2, spares: 1 } as const;

/** The results of a run, from the tasks to the manifest. */
const RESULTS = { ...TWO, completion: true, results: true } as const;

/** Two lanes read the partitions of a run, each as a producer of its own. */
const LANES = { ...TWO, consumers: 1, producers: 2, pages: [] } as const;

/** Runs with partitions. */
const PARTITIONED: readonly Scope[] = [
  { ...LANES, name: "two lanes, and two partitions without an item", partitions: [[[]], [[]]] },
  {
    ...LANES,
    name: "a lane, a partition without an item, and one of an item",
    producers: 1,
    partitions: [[[]], [["good"]]],
  },
  {
    ...LANES,
    name: "a lane whose producer dies, and two partitions without an item",
    producers: 1,
    partitions: [[[]], [[]]],
    spares: 1,
  },
  { ...LANES, name: "a lane, and a run that is cancelled", producers: 1, partitions: [[[]], [[]]], cancel: true },
];

/** A block is a page, and a group is a block: the first block is entered into its run, each later one into its group. */
const TINY = { pagesPerBlock: 1, blocksPerGroup: 1 } as const;

/** A block is a page, and a group has two blocks. */
const PAIRS = { pagesPerBlock: 1, blocksPerGroup: 2 } as const;

/** Runs with more than one group of blocks. */
const GROUPED: readonly Scope[] = [
  { ...TWO, name: "two groups of a block", consumers: 1, pages: [["good"], ["good"]], sizes: TINY },
  {
    ...TWO,
    name: "two groups of a block, and an end that is known later",
    consumers: 1,
    pages: [["good"], ["good"], []],
    sizes: TINY,
  },
];

/** The same at larger scope. */
const LONG_GROUPED: readonly Scope[] = [
  {
    ...TWO,
    name: "two groups of a block, and an item that dies in the second",
    consumers: 1,
    pages: [["good"], ["bad"]],
    sizes: TINY,
  },
  {
    ...TWO,
    name: "two groups of a block, and a producer that dies",
    consumers: 1,
    pages: [["good"], ["good"]],
    sizes: TINY,
    spares: 1,
  },
  { ...TWO, name: "three groups of a block", consumers: 1, pages: [["good"], ["good"], ["good"]], sizes: TINY },
  {
    ...TWO,
    name: "a group of two blocks, and a group of one",
    consumers: 1,
    pages: [["good"], ["good"], ["good"]],
    sizes: PAIRS,
  },
  {
    ...LANES,
    name: "a lane, and a partition of two groups of a block",
    producers: 1,
    partitions: [[["good"], ["good"]]],
    sizes: TINY,
  },
];

/** The gate explores these scopes. */
export const SHORT: readonly Scope[] = [
  ...PARTITIONED,
  ...GROUPED,
  { ...TWO, name: "one item", pages: [["good"]] },
  { ...TWO, name: "one item, up to onComplete", pages: [["good"]], completion: true },
  { ...TWO, name: "one item, and a producer that dies", pages: [["good"]], spares: 1 },
  { ...TWO, name: "an item that fails at first", consumers: 1, pages: [["flaky"]] },
  { ...TWO, name: "an item that dies", consumers: 1, pages: [["bad"]] },
  { ...TWO, name: "an item that asks for a wait", consumers: 1, pages: [["patient"]] },
  { ...TWO, name: "an item that asks for too long a wait", consumers: 1, pages: [["late"]] },
  { ...TWO, name: "an item that succeeds and dies", consumers: 1, pages: [["fickle"]] },
  { ...TWO, name: "no item at all", pages: [[]], spares: 1 },
  {
    ...TWO,
    name: "no item at all, up to onComplete, and a producer that dies",
    pages: [[]],
    completion: true,
    spares: 1,
  },
  {
    ...TWO,
    name: "an item that cannot be sent, and a producer that dies",
    consumers: 1,
    pages: [["unsendable"]],
    spares: 1,
  },
  { ...TWO, name: "a run that is cancelled", consumers: 1, pages: [["good"]], cancel: true },
  {
    ...TWO,
    name: "an item that cannot be sent, a run that is cancelled, and a producer or a person that dies",
    consumers: 1,
    pages: [["unsendable"]],
    cancel: true,
    spares: 1,
  },
  { ...OVERLAP, name: "two pages without an item, and two producers at once", pages: [[], []] },
  { ...TWO, name: "two pages of an item", pages: [["good"], ["good"]] },
  { ...TWO, name: "a page of two items, and a page of one", pages: [["good", "good"], ["good"]] },
];

/** These scopes take minutes: `npm run explore -- --long`. */
export const LONG: readonly Scope[] = [
  ...LONG_GROUPED,
  { ...LANES, name: "two lanes, a partition without an item, and one of an item", partitions: [[[]], [["good"]]] },
  { ...LANES, name: "two lanes, and a run that is cancelled", partitions: [[[]], [[]]], cancel: true },
  { ...RESULTS, name: "the result of an item", consumers: 1, pages: [["good"]] },
  { ...RESULTS, name: "the result of an item that fails at first", consumers: 1, pages: [["flaky"]] },
  { ...RESULTS, name: "the result of an item that succeeds and dies", consumers: 1, pages: [["fickle"]] },
  { ...RESULTS, name: "no result at all, and a producer that dies", consumers: 1, pages: [[]], spares: 1 },
  { ...TWO, name: "two pages, and a run that is cancelled", consumers: 1, pages: [["good"], ["good"]], cancel: true },
  { ...TWO, name: "two pages of an item, and a producer that dies", pages: [["good"], ["good"]], spares: 1 },
  { ...OVERLAP, name: "one item, and two producers at once", pages: [["good"]] },
  {
    ...OVERLAP,
    name: "two pages of an item that cannot be sent, and two producers at once",
    pages: [["unsendable"], ["unsendable"]],
  },
  { ...TWO, name: "an item that dies, and two consumers", pages: [["bad"]] },
  { ...TWO, name: "an item that dies, and none is tolerated", consumers: 1, pages: [["bad"]], tolerated: 0 },
  { ...TWO, name: "an item that asks for a wait, and two consumers", pages: [["patient"]] },
  { ...TWO, name: "an item that asks for too long a wait, and two consumers", pages: [["late"]] },
  {
    ...TWO,
    name: "one item, up to onComplete, and a producer that dies",
    pages: [["good"]],
    completion: true,
    spares: 1,
  },
  { ...TWO, name: "a run that is cancelled, and two consumers", pages: [["good"]], cancel: true },
  {
    ...TWO,
    name: "a run that is cancelled, and a producer or a person that dies",
    consumers: 1,
    pages: [["good"]],
    cancel: true,
    spares: 1,
  },
  {
    ...TWO,
    name: "two pages of two items",
    pages: [
      ["good", "good"],
      ["good", "good"],
    ],
  },
  {
    ...TWO,
    name: "two pages of two items, and a producer that dies",
    pages: [
      ["good", "good"],
      ["good", "good"],
    ],
    spares: 1,
  },
];

/** No exploration of these scopes has ended yet. They are explored only by name, as far as the memory suffices. */
export const ENDLESS: readonly Scope[] = [
  // After 1,902,521 states without a violation, its actors have more positions than a state can name.
  {
    ...LANES,
    name: "two lanes whose producers die, and two partitions without an item",
    partitions: [[[]], [[]]],
    spares: 1,
  },
  { ...RESULTS, name: "the result of an item, and two consumers", pages: [["good"]] },
  { ...RESULTS, name: "the result of an item, and a producer that dies", consumers: 1, pages: [["good"]], spares: 1 },
  {
    ...TWO,
    name: "a run that is cancelled under two producers",
    consumers: 1,
    producers: 2,
    pages: [["good"]],
    cancel: true,
    spares: 1,
  },
];

const ALL = [...SHORT, ...LONG, ...ENDLESS];

/** The scope of this name, or an error that lists all names. */
export function scopeCalled(name: string): Scope {
  const scope = ALL.find((each) => each.name === name);
  if (scope !== undefined) return scope;
  throw new Error(`there is no scope "${name}": choose one of\n${ALL.map((each) => `  ${each.name}`).join("\n")}`);
}
