import { afterEach, expect, test, vi } from "vitest";
import { warmUpProducer } from "../../../functions/producer-warm-up.ts";
import { defineWorkflow } from "../../../shared/index.ts";
import { RunProgress } from "../../../shared/ledger/run-progress.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const readPage = vi.fn(async () => ({ items: [], next: null }));
const workflow = defineWorkflow({ name: "warm", source: { readPage }, task: () => undefined, concurrency: 5 });

test("the producer's warm-up sends the only page of three runs, and does not read the workflow's source", async () => {
  const checkpoint = vi.spyOn(RunProgress.prototype, "checkpoint");

  await warmUpProducer(workflow);

  expect(readPage).not.toHaveBeenCalled();
  expect(checkpoint.mock.calls.map(([, { pages, items, ended }]) => ({ pages, items, ended }))).toEqual(
    Array.from({ length: 3 }, () => ({ pages: 1, items: 50, ended: true })),
  );
});

test("the producer's warm-up never rejects: an environment starts without it too", async () => {
  const checkpoint = vi.spyOn(RunProgress.prototype, "checkpoint").mockRejectedValue(new Error("not today"));
  await expect(warmUpProducer(workflow)).resolves.toBeUndefined();
  expect(checkpoint).toHaveBeenCalled();
});
