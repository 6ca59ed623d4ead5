import { beforeEach, expect, test } from "vitest";
import { Ledger } from "../../../shared/ledger/ledger.ts";
import type { Announcement } from "../../../shared/ledger/roll-up.ts";
import { MemoryStore } from "../../helpers/memory-store.ts";

const RUN = "run-1";

let ledger: Ledger;
let rounds: (number | undefined)[];
let announce: (announcement: Announcement) => Promise<void>;

beforeEach(async () => {
  rounds = [];
  announce = async ({ compaction }) => void rounds.push(compaction);
  ledger = new Ledger(new MemoryStore(), Date.now, (announcement) => announce(announcement));
  await ledger.runs.create({
    id: RUN,
    workflow: "test",
    requestedAt: "2026-01-01T00:00:00.000Z",
    results: { format: "jsonl", include: [] },
  });
});

const run = () => ledger.runs.get(RUN);
const ask = async () => await ledger.runs.results.ask(await run());

test("a compaction is asked for once, until it is done", async () => {
  await ask();
  await ask();
  expect(rounds).toEqual([1]);
  await ledger.runs.results.done(RUN, 1, 0);
  await ask();
  expect(rounds).toEqual([1, 2]);
});

test("a ledger that announces nothing asks for no compaction", async () => {
  const store = new MemoryStore();
  const silent = new Ledger(store);
  const results = { format: "jsonl", include: [] } as const;
  const record = await silent.runs.create({
    id: RUN,
    workflow: "test",
    requestedAt: "2026-01-01T00:00:00.000Z",
    results,
  });
  await silent.runs.results.ask(record);
  expect((await silent.runs.get(RUN)).results).toMatchObject({ compactionsAsked: 0, compactionsDone: 0 });
});

test("a caller that ends before it has sent the message leaves the compaction to the next caller", async () => {
  announce = async () => {
    throw new Error("the process has ended");
  };
  await expect(ask()).rejects.toThrow("the process has ended");
  announce = async ({ compaction }) => void rounds.push(compaction);
  await ask();
  expect(rounds).toEqual([1]);
});

test("a caller that stood still takes back no compaction that was asked for since", async () => {
  const before = await run();
  await ask();
  await ledger.runs.results.done(RUN, 1, 0);
  await ask();
  await ledger.runs.results.ask(before);
  expect((await run()).results).toMatchObject({ compactionsAsked: 2, compactionsDone: 1 });
});

test("a caller or a producer that stood still takes nothing back", async () => {
  const before = await run();
  for (const round of [1, 2]) {
    await ask();
    await ledger.runs.results.done(RUN, round, round);
    await ledger.runs.results.setManifest(RUN, round);
  }
  await ask();
  await ledger.runs.results.ask(before);
  await ledger.runs.results.done(RUN, 1, 1);
  await ledger.runs.results.setManifest(RUN, 1);
  expect((await run()).results).toMatchObject({
    ...{ compactionsAsked: 3, compactionsDone: 2 },
    ...{ compactedBlocks: 2, manifest: 2 },
  });
});
