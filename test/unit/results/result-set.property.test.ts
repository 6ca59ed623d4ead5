import fc from "fast-check";
import { expect, test } from "vitest";
import { DEFAULT_LIMITS } from "../../../shared/results/block-rows.ts";
import type { StoreFault } from "../../helpers/memory-object-store.ts";
import { type Entry, nameOf, RESULTS_RUN, ResultsWorld, type SetRow } from "../../helpers/results-world.ts";

const PAGES = [2, 1, 3];
const PLACES = PAGES.flatMap((size, page) => Array.from({ length: size }, (_, index) => ({ page, index })));

const place = fc.nat({ max: PLACES.length - 1 });
const faults = fc.array(fc.constantFrom<StoreFault>(undefined, undefined, undefined, "refused", "answer lost"), {
  maxLength: 8,
});

type Step =
  /** A consumer writes the results of some items. It records them later, or never. */
  | {
      readonly tag: "put";
      readonly places: readonly number[];
      readonly key: number;
      readonly faults: readonly StoreFault[];
    }
  /** A consumer records one of the results that were written. */
  | { readonly tag: "record"; readonly which: number }
  | { readonly tag: "die"; readonly place: number }
  | { readonly tag: "redrive"; readonly place: number }
  /** A dead item is redriven and succeeds. */
  | { readonly tag: "redrive and succeed"; readonly place: number }
  /** A slice of a compaction. Calls of the store fail, and the producer may end after each part. */
  | { readonly tag: "compact"; readonly faults: readonly StoreFault[]; readonly isShort: boolean }
  /** All slices of a compaction, each of which ends after one part. */
  | { readonly tag: "compact in slices" }
  /** Two producers at once: another slice begins at this call of the store. */
  | { readonly tag: "compact twice"; readonly at: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      tag: fc.constant("put" as const),
      places: fc.array(place, { minLength: 1, maxLength: 4 }),
      key: fc.nat({ max: 99 }),
      faults,
    }),
  },
  { weight: 6, arbitrary: fc.record({ tag: fc.constant("record" as const), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ tag: fc.constant("die" as const), place }) },
  { weight: 2, arbitrary: fc.record({ tag: fc.constant("redrive" as const), place }) },
  { weight: 3, arbitrary: fc.record({ tag: fc.constant("redrive and succeed" as const), place }) },
  { weight: 3, arbitrary: fc.record({ tag: fc.constant("compact" as const), faults, isShort: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ tag: fc.constant("compact in slices" as const) }) },
  { weight: 1, arbitrary: fc.record({ tag: fc.constant("compact twice" as const), at: fc.nat({ max: 12 }) }) },
);

/** Half of the stories begin when the run has ended: for each item, whether it is done. The others are dead. */
const beginning = fc.oneof(
  fc.constant([]),
  fc.array(fc.boolean(), { minLength: PLACES.length, maxLength: PLACES.length }),
);

/** What happens to the items, with what is known about them outside of the ledger. */
class Story {
  readonly #world: ResultsWorld;
  /** The current generation of each item, and whether it died. */
  readonly #generations = PLACES.map(() => 0);
  readonly #isDead = PLACES.map(() => false);
  readonly #written: Entry[] = [];
  #puts = 0;

  constructor(world: ResultsWorld) {
    this.#world = world;
  }

  async take(step: Step): Promise<void> {
    const world = this.#world;
    switch (step.tag) {
      case "put": {
        const entries = [...new Set(step.places)].map((number) => this.#entry(number));
        world.failCalls((call) => step.faults[call]);
        // The keys are in no order of time.
        const id = `${String(step.key).padStart(2, "0")}-${this.#puts++}`;
        const isStored = await world
          .put(
            entries.map((entry) => ({ ...entry, result: nameOf(entry) })),
            id,
          )
          .then(
            () => true,
            () => false,
          );
        if (isStored) this.#written.push(...entries);
        break;
      }
      case "record": {
        const entry = this.#written[step.which % Math.max(1, this.#written.length)];
        // The ledger refuses a success whose death was claimed.
        if (entry !== undefined) await world.record(entry).catch(() => {});
        break;
      }
      case "die":
        if (await world.die(this.#entry(step.place))) this.#isDead[step.place] = true;
        break;
      case "redrive":
        if (this.#isDead[step.place] !== true) break;
        this.#isDead[step.place] = false;
        this.#generations[step.place] = (this.#generations[step.place] ?? 0) + 1;
        await world.redrive(this.#entry(step.place));
        break;
      case "redrive and succeed":
        if (this.#isDead[step.place] !== true) break;
        await this.take({ tag: "redrive", place: step.place });
        await world.succeed(this.#entry(step.place));
        break;
      case "compact":
        world.failCalls((call) => step.faults[call]);
        await world.compact(() => step.isShort).catch(() => {});
        break;
      case "compact in slices":
        while ((await world.compact(() => true)).tag === "time");
        break;
      case "compact twice": {
        const second: Promise<unknown>[] = [];
        world.objects.onCall = async () => {
          if (second.length > 0 || world.objects.calls.length < begun + step.at) return undefined;
          second.push(Promise.resolve());
          await world.compact();
          return undefined;
        };
        const begun = world.objects.calls.length;
        await world.compact().catch(() => {});
        break;
      }
    }
    world.objects.onCall = () => undefined;
  }

  async settle(number: number, isDone: boolean): Promise<void> {
    if (isDone) await this.#world.succeed(this.#entry(number));
    else await this.take({ tag: "die", place: number });
  }

  #entry(number: number): Entry {
    return { ...(PLACES[number] ?? { page: 0, index: 0 }), generation: this.#generations[number] ?? 0 };
  }

  /** Settles everything, so that the run ends. */
  async end(): Promise<void> {
    for (const number of PLACES.keys()) await this.#world.succeed(this.#entry(number)).catch(() => {});
    for (let rounds = 0; rounds < 3; rounds++) await this.#world.compact();
  }
}

function checkSet(rows: readonly SetRow[], done: readonly string[]): void {
  expect(rows.map(({ id }) => id)).toEqual(done);
  // The result belongs to the item. In which generation it was written is not seen from outside.
  for (const { id, result } of rows) expect(`${RESULTS_RUN}/${result}`.startsWith(`${id} in generation`)).toBe(true);
}

test("in any order of steps, crashes and compactions, the set has exactly one row for each item that is done", async () => {
  await fc.assert(
    fc.asyncProperty(
      beginning,
      fc.array(step, { maxLength: 30 }),
      fc.constantFrom("jsonl", "csv"),
      async (settled, steps, format) => {
        const world = await ResultsWorld.of(PAGES, { format, include: [] });
        world.partBytes = 1;
        world.limits = { ...DEFAULT_LIMITS, heldBytes: 40, batchBytes: 1, reads: 2 };
        world.objects.pageSize = 2;
        const story = new Story(world);
        for (const [number, isDone] of settled.entries()) await story.settle(number, isDone);
        for (const each of steps) {
          await story.take(each);
          checkSet(await world.read(), await world.doneIds());
        }
        await story.end();
        checkSet(await world.read(), await world.doneIds());
        expect(await world.isOutdated()).toBe(false);
        expect((await world.run()).results.manifest).toBeGreaterThan(0);
        expect(world.objects.keys("run-1/blocks/")).toHaveLength(1);
        expect(new Set(world.objects.lines("run-1/jsonl/").map(({ id }) => id)).size).toBe(
          world.objects.lines("run-1/jsonl/").length,
        );
      },
    ),
    { numRuns: 150 },
  );
});
