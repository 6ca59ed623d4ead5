import { describe, expect, test } from "vitest";
import { type PlanSettings, planOf as planWith } from "../../../../cli/plan/plan-workflow.ts";
import { dollarText, planText } from "../../../../cli/screens/plan-text.ts";
import { RetryLater } from "../../../../shared/base/task-errors.ts";
import { defineWorkflow, type Workflow } from "../../../../shared/definition/workflow.ts";
import { items } from "../../../../shared/sources/items.ts";
import type { PageReader, Source } from "../../../../shared/sources/source.ts";

const settings = { taskSeconds: 1, spread: 0 };
/** A plan whose first page takes no time, whatever the machine does. */
const planOf = (planned: Workflow, asked: Omit<PlanSettings, "json">) => planWith(planned, asked, () => 0);

function workflow(source: Source<number> | PageReader<number>, more: object = {}) {
  return defineWorkflow({ name: "planned", source, task: async () => {}, concurrency: 20, ...more });
}

/** A source of endless pages. */
const endless = (more: Partial<PageReader<number>> = {}) => {
  const read: unknown[] = [];
  const source: PageReader<number> = {
    readPage: (cursor) => {
      read.push(cursor);
      return { items: [1, 2, 3], next: Number(cursor ?? 0) + 1 };
    },
    ...more,
  };
  return { read, source };
};

describe("the number of items", () => {
  test.each([
    ["is known if the first page is the whole source", items([1, 2, 3]), {}, 3, "known"],
    ["is known for an array", items(Array.from({ length: 1_000 }, () => 1)), {}, 1_000, "known"],
    [
      "is estimated by a source",
      endless({ size: () => ({ items: 5_000, isExact: false }) }).source,
      {},
      5_000,
      "estimated",
    ],
    [
      "is known if the source counts",
      endless({ size: async () => ({ items: 70, isExact: true }) }).source,
      {},
      70,
      "known",
    ],
    [
      "is at least that of the first page",
      endless({ size: () => ({ items: 0, isExact: false }) }).source,
      {},
      3,
      "estimated",
    ],
    ["is assumed if the source does not know", endless({ size: () => undefined }).source, {}, 1_000_000, "assumed"],
    ["is the limit of the workflow if nothing is known", endless().source, { limit: 9 }, 9, "limited"],
    ["is not above the limit of the workflow", items([1, 2, 3]), { limit: 2 }, 2, "known"],
  ] as const)("%s", async (_, source, more, count, basis) => {
    const { source: facts } = await planOf(workflow(source, more), settings);
    expect(facts).toMatchObject({ items: count, basis });
  });

  test("is given", async () => {
    const { source } = endless({ size: () => Promise.reject(new Error("not asked")) });
    const plan = await planOf(workflow(source), { ...settings, items: 77 });
    expect(plan.source).toMatchObject({ items: 77, basis: "given", warnings: [] });
  });
});

test("a plan reads one page", async () => {
  const { read, source } = endless();
  await planOf(workflow(source), settings);
  expect(read).toEqual([undefined]);
});

test("a plan counts the partitions, and says if it cannot", async () => {
  const offered = await planOf(workflow(endless({ partitions: () => [{ id: "a" }, { id: "b" }] }).source), settings);
  expect(offered.source.partitions).toBe(2);
  const none = await planOf(workflow(endless().source), settings);
  expect(none.source.partitions).toBeUndefined();
  const refused = endless({ partitions: () => Promise.reject(new Error("no right")) });
  const plan = await planOf(workflow(refused.source), settings);
  expect(plan.source.warnings).toEqual(["the partitions of the source are not known: no right"]);
});

test("a run with a limit has one lane, and a run without one as many as it has producers", async () => {
  const partitions = () => ["a", "b", "c", "d"].map((id) => ({ id }));
  const { source } = endless({ partitions, size: () => ({ items: 600, isExact: true }) });
  const [one, four, limited] = await Promise.all(
    [{ producers: 1 }, { producers: 4 }, { producers: 4, limit: 600 }].map((more) =>
      planOf(workflow(source, more), settings),
    ),
  );
  expect(limited?.ordered.requests).toEqual(one?.ordered.requests);
  expect(four?.ordered.requests.lambda).toBeGreaterThan(one?.ordered.requests.lambda ?? 0);
});

test("a source that asks to wait is an error that says until when", async () => {
  const { source } = endless({
    readPage: () => {
      throw new RetryLater({ minutes: 5 });
    },
  });
  await expect(planOf(workflow(source), settings)).rejects.toThrow(/asked the source to wait until .*Try again later/);
});

test("the text of a plan", async () => {
  const plan = await planOf(workflow(items([1, 2, 3]), { results: true }), settings);
  const lines = planText(plan).split("\n");
  expect(lines[0]).toBe("planned · page 1 of the source: 3 items");
  expect(lines).toContain("  items       3, known");
  expect(lines).toContain("  partitions  none: the source is read as one part");
  expect(lines).toContain("  time        about 1.0 s: 20 tasks of 1 s at once");
  expect(lines).toContain("  attempts    each succeeds at once: --failures plans with attempts that fail");
  expect(lines.find((line) => line.includes("S3, for the results"))).toBeDefined();
  const without = planText(await planOf(workflow(items([1, 2, 3])), settings));
  expect(without).not.toContain("S3");
});

test("a plan with attempts that fail says how many, and has the requests of their retries", async () => {
  const source = items(Array.from({ length: 1_000 }, () => 1));
  const [none, some] = await Promise.all(
    [0, 0.2].map((failures) => planOf(workflow(source), { ...settings, failures })),
  );
  if (none === undefined || some === undefined) throw new Error("no plan");
  expect(planText(some)).toContain("  attempts    20 % of them fail, and are tried again as the workflow says");
  // A failed attempt is one write more, and its message is hidden for the backoff.
  const more = (actions: "dynamoDb" | "sqs", action: string) => {
    const of = (plan: typeof some) => (plan.ordered.actions[actions] as Record<string, number>)[action] ?? 0;
    return of(some) - of(none);
  };
  expect(more("sqs", "ChangeMessageVisibility")).toBeGreaterThan(200);
  expect(more("sqs", "ChangeMessageVisibility")).toBeLessThan(300);
  expect(more("dynamoDb", "UpdateItem")).toBeGreaterThan(200);
  expect(more("dynamoDb", "BatchGetItem")).toBeGreaterThan(0);
  expect(some.ordered.dollars.sum).toBeGreaterThan(none.ordered.dollars.sum);
  expect(some.seconds).toBeGreaterThan(none.seconds);
});

test("items whose attempts all fail become dead letters", async () => {
  const source = items(Array.from({ length: 100 }, () => 1));
  const retry = { attempts: 3, backoff: { base: { milliseconds: 1 } } };
  const { ordered } = await planOf(workflow(source, { retry }), { ...settings, failures: 1 });
  const { SendMessageBatch, ChangeMessageVisibility, SendMessage } = ordered.actions.sqs;
  // Ten requests send the items, and one request each dead letter.
  expect(SendMessageBatch).toBe(110);
  expect(ChangeMessageVisibility).toBe(SendMessage + 2 * 100);
});

test("dollars are written with two digits that matter", () => {
  expect([0, 0.000_52, 0.31, 12.345, 1_234.5].map(dollarText)).toEqual([
    "$0.00",
    "$0.00052",
    "$0.31",
    "$12.35",
    "$1,235",
  ]);
});
