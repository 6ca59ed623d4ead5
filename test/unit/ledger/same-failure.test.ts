import { expect, test } from "vitest";
import * as z from "zod";
import type { InvalidFinding } from "../../../shared/base/invalid-finding.ts";
import { runKey } from "../../../shared/ledger/keys.ts";
import { Ledger } from "../../../shared/ledger/ledger.ts";
import { InvalidFindings, sameFailureOf } from "../../../shared/ledger/same-failure.ts";
import { ConsumerWorld } from "../../helpers/consumer-world.ts";
import { FaultyStore } from "../../helpers/faulty-store.ts";
import { MemoryStore } from "../../helpers/memory-store.ts";
import { requestsOf } from "../../helpers/request-log.ts";

const MISSING = { fault: "`email` missing", instead: "the header has ` E-Mail `" };

/** A run whose items died as they are told to be: each with a finding, or for another reason. */
async function run(findings: readonly (InvalidFinding | "succeeded" | "exhausted")[]) {
  const store = new MemoryStore();
  const ledger = new Ledger(store);
  const { runs } = ledger;
  const started = await runs.create({ id: "r", workflow: "w", requestedAt: "2026-11-27T08:00:00.000Z" });
  await ledger.pages.open({ run: "r", partition: 0, page: 0 }, { size: findings.length, digest: "d" });
  await runs.progress.checkpoint(started, {
    cursor: undefined,
    skip: 0,
    pages: 1,
    items: findings.length,
    ended: true,
  });
  for (const [index, finding] of findings.entries()) {
    const item = { run: "r", partition: 0, page: 0, index, epoch: 1, redriveGeneration: 0 };
    if (finding === "succeeded")
      await ledger.outcomes.recordSuccesses({ ...item, items: [{ index, redriveGeneration: 0, failures: 0 }] });
    else if (finding === "exhausted") await ledger.outcomes.recordDeath(item, finding, 0);
    else {
      // Each by an invocation of its own.
      await ledger.invalidFindings().note("r", finding);
      await ledger.outcomes.recordDeath(item, "invalid item", 0);
    }
  }
  const record = await runs.get("r");
  return sameFailureOf(record, await runs.counts(record));
}

test("A run all of whose items failed in the same way says so once", async () => {
  expect(await run([MISSING, MISSING, { ...MISSING, instead: "the header has other things" }])).toBe(
    "all 3 items: `email` missing; the header has ` E-Mail `",
  );
  expect(await run([{ fault: "not UTF-8" }, { fault: "not UTF-8" }])).toBe("all 2 items: not UTF-8");
});

test("A run shows the first item's message where the common words leave out what matters", async () => {
  const fault = 'set unsafeNumbers to "…" or "…"';
  const one = { fault, example: 'set unsafeNumbers to "text" or "bigint"' };
  expect(await run([one, { fault, example: "another" }])).toBe(
    'all 2 items failed in the same way. The first: set unsafeNumbers to "text" or "bigint"',
  );
  expect(await run([one, { ...one, fault: "another way" }])).toBeUndefined();
});

test("A run some of whose items are no invalid ones says it of these alone", async () => {
  expect(await run([MISSING, "succeeded", MISSING, "exhausted"])).toBe(
    "all 2 invalid items: `email` missing; the header has ` E-Mail `",
  );
});

test("A run whose items failed in different ways says nothing, nor does one of a single invalid item", async () => {
  expect(await run([MISSING, MISSING, { fault: "`id` missing" }])).toBeUndefined();
  expect(await run([MISSING, { fault: "`id` missing" }, MISSING])).toBeUndefined();
  expect(await run([MISSING, "succeeded"])).toBeUndefined();
  expect(await run(["exhausted", "exhausted"])).toBeUndefined();
});

test("A run that works says nothing, as another item may fail otherwise", () => {
  const counts = { produced: 2, pending: 0, deadByReason: { "invalid item": 2 } };
  expect(sameFailureOf({ invalidFinding: MISSING, status: "running" }, counts)).toBeUndefined();
  expect(sameFailureOf({ invalidFinding: MISSING, status: "failed" }, { ...counts, pending: 1 })).toBeUndefined();
  expect(sameFailureOf({ invalidFinding: MISSING, status: "failed" }, counts)).toMatch(/^all 2 items/);
});

test("An invocation writes a finding once, whatever the number of items, and keeps a long one short", async () => {
  const store = new MemoryStore();
  await new Ledger(store).runs.create({ id: "r", workflow: "w", requestedAt: "2026-11-27T08:00:00.000Z" });
  let writes = 0;
  const counting = new Proxy(store, {
    get: (target, name) => {
      if (name === "update") writes++;
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const findings = new InvalidFindings(counting);
  await Promise.all(Array.from({ length: 500 }, () => findings.note("r", { fault: "x".repeat(1_000) })));
  expect(writes).toBe(1);
  expect((await new Ledger(store).runs.get("r")).invalidFinding?.fault).toHaveLength(300);
});

test("A text of 300 characters is kept whole, and a longer one is cut", async () => {
  const store = new MemoryStore();
  const { runs } = new Ledger(store);
  const noted = async (id: string, length: number) => {
    await runs.create({ id, workflow: "w", requestedAt: "2026-11-27T08:00:00.000Z" });
    await new InvalidFindings(store).note(id, { fault: "x".repeat(length) });
    return (await runs.get(id)).invalidFinding?.fault;
  };
  expect(await noted("a", 300)).toBe("x".repeat(300));
  expect(await noted("b", 301)).toBe(`${"x".repeat(299)}…`);
});

test("An invocation remembers at most a hundred findings, and writes one that it has forgotten again", async () => {
  const store = new FaultyStore();
  const findings = new InvalidFindings(store);
  const note = (number: number) => requestsOf(store, () => findings.note("r", { fault: `fault ${number}` }));
  await new Ledger(store).runs.create({ id: "r", workflow: "w", requestedAt: "2026-11-27T08:00:00.000Z" });
  for (let number = 0; number < 100; number++) expect(await note(number)).not.toEqual([]);
  for (let number = 0; number < 100; number++) expect(await note(number)).toEqual([]);
  expect(await note(100)).not.toEqual([]);
  expect(await note(100)).toEqual([]);
  expect(await note(0)).not.toEqual([]);
});

test("Findings are kept apart by their run and by their fault, and one of an unknown run makes no row", async () => {
  const store = new MemoryStore();
  const { runs } = new Ledger(store);
  const findings = new InvalidFindings(store);
  for (const id of ["a", "b"]) await runs.create({ id, workflow: "w", requestedAt: "2026-11-27T08:00:00.000Z" });
  await findings.note("a", MISSING);
  await findings.note("b", MISSING);
  await findings.note("b", { fault: "another" });
  expect((await runs.get("a")).invalidFinding).toEqual(MISSING);
  expect((await runs.get("b")).invalidFinding).toBeUndefined();
  await findings.note("nobody", MISSING);
  expect(await store.get(runKey("nobody"))).toBeUndefined();
});

test("A finding that could not be written is written with the next item that has it", async () => {
  const store = new FaultyStore();
  const { runs } = new Ledger(store);
  await runs.create({ id: "r", workflow: "w", requestedAt: "2026-11-27T08:00:00.000Z" });
  store.before = () => {
    throw new Error("throttled");
  };
  const findings = new InvalidFindings(store);
  await expect(findings.note("r", MISSING)).rejects.toThrow("throttled");
  store.before = () => {};
  await findings.note("r", MISSING);
  expect((await runs.get("r")).invalidFinding).toEqual(MISSING);
});

test("A consumer notes how items fail before it records that they are dead", async () => {
  const world = await ConsumerWorld.of([{ " E-Mail ": "a" }, { " E-Mail ": "b" }]);
  const consumer = world.consumer({ item: z.object({ email: z.string() }), task: () => undefined });
  await consumer.consume(world.messages(), Date.now() + 60_000);
  const [record] = await world.runs.latest(1);
  if (record === undefined) throw new Error("there is no run");
  expect(sameFailureOf(record, await world.runs.counts(record))).toBe(
    "all 2 items: `email` missing; the first of them has ` E-Mail `",
  );
});
