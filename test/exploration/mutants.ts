/** A mistake in the ledger's code, and a scope in which the exploration finds it. */
export interface Mutant {
  /** The marker `// mutant: <name>` in `shared/` stands above what this mutant changes. */
  readonly name: string;
  /** The mistake, as the name of its test. */
  readonly mistake: string;
  /** Makes the mistake in the marked statement, property or array element. */
  readonly change: (marked: string) => string;
  readonly scope: string;
  /** The violation that the exploration must report. */
  readonly shows: RegExp;
}

const remove = () => "";
const replaceBy = (other: string) => () => other;
const prepend = (text: string) => (marked: string) => text + marked;

const UNSENDABLE_AND_CANCELLED =
  "an item that cannot be sent, a run that is cancelled, and a producer or a person that dies";

/** Mistakes that a contributor might make. The exploration must find each of them. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: "enter-active-runs",
    mistake: "a run works before it is one of the active runs",
    change: replaceBy("const entered = Promise.resolve();"),
    scope: "one item",
    shows: /none of the active runs/,
  },
  {
    name: "active-before-work",
    mistake: "a page is sent before the run is one of the active runs",
    change: remove,
    scope: "one item",
    shows: /none of the active runs/,
  },
  {
    name: "leave-active-runs",
    mistake: "a run that has ended stays one of the active runs",
    change: remove,
    scope: "one item, up to onComplete",
    shows: /still one of the active runs/,
  },
  {
    name: "enter-before-end",
    mistake: "a start that is delivered twice enters its run while the run ends",
    change: remove,
    scope: "no item at all, up to onComplete, and a producer that dies",
    shows: /still one of the active runs/,
  },
  {
    name: "end-once",
    mistake: "a run ends unconditionally",
    change: remove,
    scope: "an item that dies",
    shows: /the run ended 2 times/,
  },
  {
    name: "end-while-running",
    mistake: "a run of one block completes in any status",
    change: (marked) => marked.replace(/\{\s*equals:\s*\[\s*"status",\s*"running"\s*\]\s*\},/, ""),
    scope: "a run that is cancelled",
    shows: /the run ended 2 times/,
  },
  {
    name: "collect-successes",
    mistake: "successes are counted instead of collected",
    change: replaceBy("done: items.map(() => Math.floor(Math.random() * 900)),"),
    scope: "one item",
    shows: /item 0.0 is in no place/,
  },
  {
    name: "write-end-before-announcement",
    mistake: "the end is announced before it is written",
    change: prepend('await this.#announce?.({ run, workflow: "explored" });\n'),
    scope: "one item, up to onComplete",
    shows: /told in 0 ways/,
  },
  {
    name: "announce-known-end",
    mistake: "a worker that finds the run ended does not announce the end",
    change: prepend("if (row.completedAt === undefined) "),
    scope: "one item",
    shows: /not announced/,
  },
  {
    name: "roll-up-again",
    mistake: "a consumer that finds an item settled does not roll up again",
    change: remove,
    scope: "one item",
    shows: /not announced|has not ended/,
  },
  {
    name: "block-size-known",
    mistake: "a block is complete before its size is known",
    change: replaceBy("if (row.full.size < (row.size ?? 1)) return;"),
    scope: "two pages of an item",
    shows: /is in no place|not all items/,
  },
  {
    name: "complete-at-source-end",
    mistake: "the end of the source does not complete a run whose pages are all complete",
    change: remove,
    scope: "no item at all",
    shows: /has not ended/,
  },
  {
    name: "send-before-checkpoint",
    mistake: "the checkpoint moves before the messages are sent",
    change: remove,
    scope: "one item",
    shows: /has not ended/,
  },
  {
    name: "claim-death",
    mistake: "a death is not claimed before its dead letter is sent",
    change: remove,
    scope: "an item that succeeds and dies",
    shows: /has 1 dead letters|is in done and dead/,
  },
  {
    name: "store-dead-letter",
    mistake: "the death of an item that cannot be sent is claimed before its dead letter is in the ledger",
    change: remove,
    scope: UNSENDABLE_AND_CANCELLED,
    shows: /has not ended/,
  },
  {
    name: "claim-unsendable",
    mistake: "the death of an item that cannot be sent is not claimed",
    change: remove,
    scope: UNSENDABLE_AND_CANCELLED,
    shows: /has 1 dead letters/,
  },
  {
    name: "complete-claimed-deaths",
    mistake: "the production ends without the dead letters that a crashed producer had claimed",
    change: remove,
    scope: UNSENDABLE_AND_CANCELLED,
    shows: /has not ended/,
  },
  {
    name: "store-before-ledger",
    mistake: "a success is recorded before its result is stored",
    change: remove,
    scope: "the result of an item",
    shows: /is done, and has no row/,
  },
  {
    name: "count-no-loser",
    mistake: "the row of a success that came after the item's death counts",
    change: replaceBy(
      "const counting = [...numberSet(row.done)].map((entry) => ({ index: indexOf(entry), generation: generationOf(entry) }));",
    ),
    scope: "the result of an item that succeeds and dies",
    shows: /is not done, and has a row/,
  },
  {
    name: "manifest-before-deletions",
    mistake: "raw objects are deleted before the manifest names their parts",
    change: prepend(
      'for await (const page of this.#options.store.list("run/raw/")) await this.#options.store.delete(page.map(({ key }) => key));\n',
    ),
    scope: "the result of an item",
    shows: /is done, and has no row/,
  },
  {
    name: "note-ended-partition",
    mistake: "a partition whose production has ended is not noted in its group",
    change: remove,
    scope: "a lane, a partition without an item, and one of an item",
    shows: /not all items are sent|the run's items/,
  },
  {
    name: "note-ended-partition-again",
    mistake: "a lane leaves a partition whose production another producer ended, without noting this",
    change: remove,
    scope: "a lane whose producer dies, and two partitions without an item",
    shows: /has not ended/,
  },
  {
    name: "announce-end-of-lanes",
    mistake: "a lane that finds the run ended does not announce the end",
    change: remove,
    scope: "a lane whose producer dies, and two partitions without an item",
    shows: /not announced/,
  },
  {
    name: "complete-at-partitions-end",
    mistake: "the end of the production does not complete a run that was cancelled before it had partitions",
    change: remove,
    scope: "a lane, and a run that is cancelled",
    shows: /has not ended/,
  },
  {
    name: "group-size-known",
    mistake: "a group of partitions is complete before its size is known",
    change: replaceBy("if (row.complete.size < (row.size ?? 1)) return;"),
    scope: "a lane, a partition without an item, and one of an item",
    shows: /is in no place/,
  },
  {
    name: "block-group-size-known",
    mistake: "a group of blocks is complete before its size is known",
    change: replaceBy("if (row.complete.size < (row.size ?? 1)) return;"),
    scope: "two groups of a block, and an item that dies in the second",
    shows: /the run's totals/,
  },
  {
    name: "close-full-block-group",
    mistake: "the size of a group of blocks is not set when the checkpoint has passed the group",
    change: remove,
    scope: "three groups of a block",
    shows: /has not ended/,
  },
  {
    name: "close-last-block-group",
    mistake: "the size of the last group of blocks is not set when the source ends",
    change: remove,
    scope: "a group of two blocks, and a group of one",
    shows: /has not ended/,
  },
  {
    name: "cancel-unsettled-only",
    mistake: "an item that has succeeded can still be cancelled",
    change: remove,
    scope: "a run that is cancelled",
    shows: /./,
  },
];

/** The mutant of this name, or an error that lists all names. */
export function mutantCalled(name: string): Mutant {
  const mutant = MUTANTS.find((each) => each.name === name);
  if (mutant !== undefined) return mutant;
  throw new Error(`there is no mutant "${name}": choose one of\n${MUTANTS.map((each) => `  ${each.name}`).join("\n")}`);
}
