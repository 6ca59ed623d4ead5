import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ToleranceWatch } from "../../../shared/consumer/outcomes/tolerance-watch.ts";
import { beyondTolerance, type Tolerance } from "../../../shared/definition/tolerance.ts";
import { Ledger } from "../../../shared/ledger/ledger.ts";
import { FaultyStore } from "../../helpers/faulty-store.ts";
import { CREATED, RUN } from "../../helpers/ledger-rig.ts";

const SIZE = 10;

/** A run with a tolerance, whose workers each have a ledger of their own over one table. */
class MortalRun {
  readonly store = new FaultyStore();
  readonly clock = { now: 1_000_000 };
  readonly ledger = this.worker();
  readonly #tolerance: Tolerance;

  constructor(tolerance: Tolerance) {
    this.#tolerance = tolerance;
  }

  worker(): Ledger {
    return new Ledger(this.store, () => this.clock.now);
  }

  /** @param pages Pages that were opened. @param passed Pages that the checkpoint has passed. Default: all. */
  async produced(pages: number, passed = pages): Promise<this> {
    const run = await this.ledger.runs.create({ ...CREATED, tolerance: this.#tolerance });
    for (let page = 0; page < pages; page++) {
      await this.ledger.pages.open({ run: RUN, partition: 0, page }, { size: SIZE, digest: "d" });
    }
    await this.ledger.runs.progress.checkpoint(run, {
      cursor: undefined,
      skip: 0,
      pages: passed,
      items: passed * SIZE,
      ended: false,
    });
    return this;
  }

  item(number: number) {
    const page = Math.floor(number / SIZE);
    return { run: RUN, partition: 0, page, index: number % SIZE, epoch: 1, redriveGeneration: 0 };
  }

  async die(number: number): Promise<void> {
    await this.ledger.outcomes.claimDeath(this.item(number));
    await this.ledger.outcomes.recordDeath(this.item(number), "permanent", 0);
  }

  async succeed(number: number): Promise<void> {
    const item = this.item(number);
    await this.ledger.outcomes.recordSuccesses({ ...item, items: [{ ...item, failures: 0 }] });
  }

  /** How many page and block rows are read while something is done. */
  async readsOf(act: () => Promise<unknown>): Promise<number> {
    let reads = 0;
    this.store.before = (operation, key) => {
      if (operation !== "update" && /#(page|block)#/.test(key?.pk ?? "")) reads++;
    };
    await act();
    this.store.before = () => {};
    return reads;
  }

  async isBeyond(): Promise<boolean> {
    const { dead, produced, pending } = await this.ledger.runs.counts(await this.ledger.runs.get(RUN));
    return beyondTolerance(this.#tolerance, { dead, settled: produced - pending }) !== undefined;
  }
}

describe("A run with tolerated failures", () => {
  test("is stopped by the first death that is beyond them, whatever settles in any order, on any worker", async () => {
    const tolerances = fc.record(
      { count: fc.nat({ max: 12 }), percentage: fc.nat({ max: 60 }), minimum: fc.integer({ min: 1, max: 20 }) },
      { requiredKeys: ["minimum"] },
    );
    const settled = fc.record({
      dies: fc.boolean(),
      worker: fc.nat({ max: 2 }),
      /** How long it takes until it is noted. */
      milliseconds: fc.constantFrom(1, 1_000, 61_000),
      passes: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(tolerances, fc.array(settled, { maxLength: 40 }), async (tolerance, steps) => {
        const run = await new MortalRun(tolerance).produced(4, 2);
        const workers = [run.worker(), run.worker(), run.worker()];
        for (const [number, { dies, worker, milliseconds, passes }] of steps.entries()) {
          run.clock.now += milliseconds;
          const record = await run.ledger.runs.get(RUN);
          if (passes && record.checkpoint.pages < 4) {
            const { count: _, pages, items, ...rest } = record.checkpoint;
            await run.ledger.runs.progress.checkpoint(record, { ...rest, pages: pages + 1, items: items + SIZE });
          }
          if (!dies) {
            await run.succeed(number);
            continue;
          }
          await run.die(number);
          const verdict = await workers[worker]?.runs.stopBeyondTolerance(RUN, 1, { soon: true });
          const limited = tolerance.count !== undefined || tolerance.percentage !== undefined;
          const isBeyond = await run.isBeyond();
          expect(verdict?.tag === "stopped").toBe(limited && isBeyond);
          if (verdict?.tag === "stopped") return;
        }
      }),
      { numRuns: 40 },
    );
  });

  test("costs no reads of its pages for the deaths that cannot be too many", async () => {
    const run = await new MortalRun({ count: 500, minimum: 100 }).produced(60);
    const environments = Array.from({ length: 100 }, () => run.worker());
    const first = await run.readsOf(() => run.ledger.runs.stopBeyondTolerance(RUN, 1));
    expect(first).toBeGreaterThan(0);
    const others = await run.readsOf(async () => {
      for (let second = 0; second < 4; second++) {
        run.clock.now += 1_000;
        for (const { runs } of environments) await runs.stopBeyondTolerance(RUN, 1);
      }
    });
    expect(others).toBe(0);
  });

  test("is checked as often as its deaths double, and not with each death", async () => {
    const run = await new MortalRun({ percentage: 50, minimum: 10 }).produced(100);
    let checks = 0;
    for (let number = 0; number < 100 * SIZE; number += 10) {
      // A fifth of the items dies: far from the half that is tolerated.
      for (let offset = 0; offset < 10; offset++) {
        if (offset % 5 > 0) await run.succeed(number + offset);
        else await run.die(number + offset);
      }
      run.clock.now += 1_000;
      if ((await run.readsOf(() => run.ledger.runs.stopBeyondTolerance(RUN, 2))) > 0) checks++;
    }
    // 200 deaths in 100 s.
    expect(checks).toBeLessThanOrEqual(10);
    expect(await run.isBeyond()).toBe(false);
  });

  test("is checked by one worker at a time, and again if items died in the meantime", async () => {
    const run = await new MortalRun({ count: 1, minimum: 100 }).produced(1);
    const gate = Promise.withResolvers<void>();
    let walks = 0;
    run.store.before = async (_operation, key) => {
      if (key?.sk !== "block") return;
      walks++;
      await gate.promise;
    };
    await run.die(0);
    const first = run.ledger.runs.stopBeyondTolerance(RUN, 1);
    while (walks === 0) await new Promise(setImmediate);
    expect(await run.worker().runs.stopBeyondTolerance(RUN, 1)).toEqual({ tag: "due" });
    expect(walks).toBe(1);
    gate.resolve();
    // Its own counts were exact, but it cannot know whether the other death was already recorded.
    expect(await first).toEqual({ tag: "due" });
    await run.die(1);
    expect(await run.ledger.runs.stopBeyondTolerance(RUN, 0, { soon: true })).toMatchObject({ tag: "stopped" });
  });

  describe("whose last deaths are noted by two environments that end at the same time", () => {
    /** The first environment has read its rows when the second one notes the deadly death and ends. */
    async function endTogether(run: MortalRun, first: () => Promise<unknown>, second: () => Promise<unknown>) {
      const gate = Promise.withResolvers<void>();
      const hasRead = Promise.withResolvers<void>();
      run.store.before = async (operation, _key, update) => {
        if (operation !== "update" || update?.set?.checkedAt === undefined) return;
        hasRead.resolve();
        await gate.promise;
      };
      const firstEnds = first();
      await hasRead.promise;
      await second();
      gate.resolve();
      await firstEnds;
    }

    const watchOf = (run: MortalRun) =>
      new ToleranceWatch({
        runs: run.worker().runs,
        controlQueue: { sendControl: async () => {} },
        now: () => run.clock.now,
      });

    test("is stopped: the environment that checks sees the death, and checks again", async () => {
      const run = await new MortalRun({ count: 2, minimum: 100 }).produced(1);
      const [first, second] = [watchOf(run), watchOf(run)];
      await run.die(0);
      run.store.before = () => {
        throw new Error("throttled");
      };
      // `finish` checks again.
      await expect(first.noteDeath(RUN)).rejects.toThrow("throttled");
      await endTogether(
        run,
        () => first.finish(),
        async () => {
          for (const number of [1, 2]) {
            await run.die(number);
            await second.noteDeath(RUN);
          }
          await second.finish();
        },
      );
      expect((await run.ledger.runs.get(RUN)).status).toBe("failing");
    });

    test("is stopped: the producer checks, and an environment notes the death", async () => {
      const run = await new MortalRun({ count: 2, minimum: 100 }).produced(1);
      const producer = run.worker();
      await run.die(0);
      await endTogether(
        run,
        // As `page-pipeline.ts` does, after its dead letters.
        () => producer.runs.stopBeyondTolerance(RUN, 1, { soon: true }),
        async () => {
          for (const number of [1, 2]) await run.die(number);
          const watch = watchOf(run);
          for (const _ of [1, 2]) await watch.noteDeath(RUN);
          await watch.finish();
        },
      );
      expect((await run.ledger.runs.get(RUN)).status).toBe("failing");
    });
  });

  test("is stopped again for a caller that could not tell the producer of it", async () => {
    const run = await new MortalRun({ count: 1, minimum: 100 }).produced(1);
    for (const number of [0, 1]) await run.die(number);
    const stopped = { tag: "stopped", run: { id: RUN, status: "failing" } };
    expect(await run.ledger.runs.stopBeyondTolerance(RUN, 2, { soon: true })).toMatchObject(stopped);
    expect(await run.worker().runs.stopBeyondTolerance(RUN, 2, { soon: true })).toMatchObject(stopped);
  });

  test("is not checked twice in a second, but then", async () => {
    const run = await new MortalRun({ count: 1, minimum: 100 }).produced(1);
    expect(await run.ledger.runs.stopBeyondTolerance(RUN, 1)).toEqual({ tag: "continues" });
    for (const number of [0, 1]) await run.die(number);
    expect(await run.ledger.runs.stopBeyondTolerance(RUN, 2)).toEqual({ tag: "due" });
    run.clock.now += 999;
    expect(await run.ledger.runs.stopBeyondTolerance(RUN, 0)).toEqual({ tag: "due" });
    run.clock.now += 1;
    expect(await run.ledger.runs.stopBeyondTolerance(RUN, 0)).toMatchObject({ tag: "stopped" });
  });

  test("is checked by another worker if the one that checks has died", async () => {
    const run = await new MortalRun({ count: 0, minimum: 100 }).produced(1);
    await run.die(0);
    let isDead = false;
    run.store.before = (_operation, key) => {
      isDead ||= key?.sk === "block";
      if (isDead) throw new Error("the process died");
    };
    await expect(run.ledger.runs.stopBeyondTolerance(RUN, 1)).rejects.toThrow("the process died");
    run.store.before = () => {};
    run.clock.now += 29_999;
    expect(await run.worker().runs.stopBeyondTolerance(RUN, 0)).toEqual({ tag: "due" });
    run.clock.now += 1;
    expect(await run.worker().runs.stopBeyondTolerance(RUN, 0)).toMatchObject({ tag: "stopped" });
  });

  test("is checked again at once if a check could not read its rows", async () => {
    const run = await new MortalRun({ count: 0, minimum: 100 }).produced(1);
    await run.die(0);
    run.store.before = (_operation, key) => {
      if (key?.sk === "block") throw new Error("throttled");
    };
    await expect(run.ledger.runs.stopBeyondTolerance(RUN, 1)).rejects.toThrow("throttled");
    run.store.before = () => {};
    const verdict = await run.worker().runs.stopBeyondTolerance(RUN, 0, { soon: true });
    expect(verdict).toMatchObject({ tag: "stopped", run: { status: "failing" } });
  });

  test("is stopped a minute later at the latest if a consumer died before it counted a death", async () => {
    const run = await new MortalRun({ count: 2, minimum: 100 }).produced(1);
    await run.die(0);
    expect(await run.ledger.runs.stopBeyondTolerance(RUN, 1)).toEqual({ tag: "continues" });
    for (const number of [1, 2]) await run.die(number);
    run.clock.now += 59_999;
    expect(await run.ledger.runs.stopBeyondTolerance(RUN, 1)).toEqual({ tag: "continues" });
    run.clock.now += 1;
    expect(await run.ledger.runs.stopBeyondTolerance(RUN, 0)).toMatchObject({ tag: "stopped" });
  });

  test("has its deaths in a row of its own, which a check without a death does not write", async () => {
    const run = await new MortalRun({ count: 9, minimum: 100 }).produced(1);
    run.store.updates.length = 0;
    expect(await run.ledger.runs.stopBeyondTolerance(RUN, 0)).toEqual({ tag: "continues" });
    expect(run.store.updates).toEqual([]);
    await run.ledger.runs.stopBeyondTolerance(RUN, 3);
    expect(await run.store.get({ pk: `run#${RUN}`, sk: "deaths" })).toMatchObject({ deaths: 3, checkAt: 13 });
    run.store.reads = 0;
    run.store.updates.length = 0;
    run.clock.now += 1_000;
    await run.ledger.runs.stopBeyondTolerance(RUN, 1);
    expect([run.store.reads, run.store.updates.length]).toEqual([0, 1]);
    await run.ledger.runs.stopBeyondTolerance(RUN, 0);
    expect([run.store.reads, run.store.updates.length]).toEqual([1, 1]);
  });

  test.each([0, 1])(
    "is checked by one of two workers that count a death at the same moment (%i)",
    async (checksBefore) => {
      const run = await new MortalRun({ count: checksBefore, minimum: 100 }).produced(1);
      // After a worker has died, the row still has the time until which it checks.
      let isDead = false;
      run.store.before = (_operation, key) => {
        isDead ||= key?.sk === "block";
        if (isDead) throw new Error("the process died");
      };
      if (checksBefore > 0) await expect(run.worker().runs.stopBeyondTolerance(RUN, 1)).rejects.toThrow("died");
      const walks: unknown[] = [];
      run.store.before = (_operation, key) => void (key?.sk === "block" && walks.push(key));
      run.clock.now += 30_000;
      const verdicts = await Promise.all(
        [run.worker(), run.worker()].map(({ runs }) => runs.stopBeyondTolerance(RUN, 1)),
      );
      expect(verdicts.map(({ tag }) => tag)).toContain("due");
      expect(walks).toHaveLength(1);
    },
  );

  test("is stopped by a death after a checkpoint that has passed a page with earlier ones", async () => {
    const run = await new MortalRun({ count: 2, minimum: 100 }).produced(2, 1);
    for (const number of [SIZE, SIZE + 1]) await run.die(number);
    expect(await run.ledger.runs.stopBeyondTolerance(RUN, 2)).toEqual({ tag: "continues" });
    const record = await run.ledger.runs.get(RUN);
    const { count: _, ...checkpoint } = record.checkpoint;
    await run.ledger.runs.progress.checkpoint(record, { ...checkpoint, pages: 2, items: 2 * SIZE });
    await run.die(0);
    run.clock.now += 1_000;
    expect(await run.ledger.runs.stopBeyondTolerance(RUN, 1)).toMatchObject({ tag: "stopped" });
  });

  test("that is paused is not stopped, and is checked with the first death after it is resumed", async () => {
    const run = await new MortalRun({ count: 0, minimum: 100 }).produced(1);
    await run.ledger.runs.pause(RUN);
    await run.die(0);
    expect(await run.ledger.runs.stopBeyondTolerance(RUN, 1)).toEqual({ tag: "continues" });
    await run.ledger.runs.reopen(RUN);
    run.clock.now += 1_000;
    expect(await run.ledger.runs.stopBeyondTolerance(RUN, 1)).toMatchObject({ tag: "stopped" });
  });

  test("is left alone if it was paused after its deaths were counted", async () => {
    const run = await new MortalRun({ count: 0, minimum: 100 }).produced(1);
    await run.die(0);
    run.store.before = async (operation, _key, update) => {
      if (operation !== "update" || update?.set?.status !== "failing") return;
      run.store.before = () => {};
      await run.ledger.runs.pause(RUN);
    };
    expect(await run.ledger.runs.stopBeyondTolerance(RUN, 1)).toEqual({ tag: "continues" });
    expect((await run.ledger.runs.get(RUN)).status).toBe("paused");
  });

  test("is still known to a worker that has counted the deaths of many other runs since", async () => {
    const run = await new MortalRun({ count: 0, minimum: 100 }).produced(1);
    const worker = run.worker();
    expect(await worker.runs.stopBeyondTolerance(RUN, 1)).toEqual({ tag: "continues" });
    for (let other = 0; other < 150; other++) {
      expect(await worker.runs.stopBeyondTolerance(`other ${other}`, 1)).toEqual({ tag: "not limited" });
      await run.ledger.runs.create({ ...CREATED, id: `run ${other}` });
      expect(await worker.runs.stopBeyondTolerance(`run ${other}`, 1)).toEqual({ tag: "not limited" });
    }
    await run.die(0);
    expect(await worker.runs.stopBeyondTolerance(RUN, 1, { soon: true })).toMatchObject({ tag: "stopped" });
  });
});

test("A run without tolerated failures, or one that is not known, counts no deaths", async () => {
  const run = new MortalRun({ minimum: 100 });
  await run.ledger.runs.create(CREATED);
  run.store.updates.length = 0;
  for (const id of [RUN, RUN, "nobody"]) {
    expect(await run.ledger.runs.stopBeyondTolerance(id, 1)).toEqual({ tag: "not limited" });
  }
  expect(run.store.updates).toEqual([]);
});
