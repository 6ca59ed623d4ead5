import { PutObjectCommand } from "@aws-sdk/client-s3";
import { beforeEach, describe, expect, test, vi } from "vitest";
import * as z from "zod";
import { S3ObjectStore } from "../../../shared/aws/s3-object-store.ts";
import * as sdk from "../../../shared/aws/s3-sdk.ts";
import type { ConsumerOptions } from "../../../shared/consumer/consumer.ts";
import { PermanentError, type WorkflowOptions } from "../../../shared/index.ts";
import { replacementBody } from "../../../shared/messages/dead-letter.ts";
import { envelopeBody, parseEnvelope } from "../../../shared/messages/envelope.ts";
import { LARGEST_RESULT_BYTES } from "../../../shared/results/result-json.ts";
import { ConsumerWorld, RUN } from "../../helpers/consumer-world.ts";
import { FakeS3Bucket, s3Error } from "../../helpers/fake-s3-bucket.ts";
import { MemoryObjectStore } from "../../helpers/memory-object-store.ts";

const ITEMS = [10, 11, 12, 13];
const RAW = `${RUN}/raw/00000/0000000/`;

let world: ConsumerWorld;
let store: MemoryObjectStore;

beforeEach(async () => {
  world = await ConsumerWorld.of(ITEMS);
  store = new MemoryObjectStore();
});

const double = (item: unknown) => ({ doubled: Number(item) * 2 });

/** The messages of a run with results. */
function messages(changes: { receiveCount?: number } = {}) {
  const header = { workflow: "test", run: RUN, partition: 0, page: 0, epoch: 1, resent: false, results: true };
  return ITEMS.map((item, index) =>
    world.raw(envelopeBody(header, index, JSON.stringify(item)), { id: String(index), ...changes }),
  );
}

const consume = (workflow: Partial<WorkflowOptions>, options: Partial<ConsumerOptions> = {}, changes = {}) =>
  world.consume({ results: true, task: double, ...workflow }, messages(changes), { resultStore: store, ...options });

test("the results of a group are one object, with the place of each result", async () => {
  expect(await consume({})).toEqual([]);
  expect(store.keys()).toHaveLength(1);
  expect(store.keys()[0]).toMatch(/^run-1\/raw\/00000\/0000000\/000-000-[a-z0-9]+-[0-9a-f]{16}\.jsonl$/);
  expect(store.lines(RAW)).toEqual(
    ITEMS.map((item, index) => ({ page: 0, epoch: 1, index, generation: 0, result: { doubled: 2 * item } })),
  );
  expect(await world.counts()).toMatchObject({ succeeded: 4, pending: 0 });
});

test("a row has the fields that the definition includes", async () => {
  await consume({ results: { include: ["item", "attempts", "finishedAt"] } });
  expect(store.lines(RAW)[3]).toEqual({
    page: 0,
    epoch: 1,
    index: 3,
    generation: 0,
    result: { doubled: 26 },
    attempts: 1,
    finishedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    item: 13,
  });
});

test("no item is recorded before its result is stored", async () => {
  const answer = Promise.withResolvers<undefined>();
  const asked = Promise.withResolvers<void>();
  store.onCall = () => {
    asked.resolve();
    return answer.promise;
  };
  const consumed = consume({});
  await asked.promise;
  expect(world.store.updates).toEqual([]);
  answer.resolve(undefined);
  await consumed;
  expect(await world.counts()).toMatchObject({ succeeded: 4 });
});

test("a definition without results stores nothing and sends no additional request", async () => {
  await world.consume({ task: double });
  const updates = world.store.updates.length;
  const before = world;
  world = await ConsumerWorld.of(ITEMS);
  await world.consume({ task: double }, world.messages(), { resultStore: store });
  expect(world.store.updates).toHaveLength(updates);
  expect(store.calls).toEqual([]);
  expect(await before.counts()).toEqual(await world.counts());
});

describe("the message decides whether a result is kept", () => {
  test("a message of a run without results leaves no row, whatever the definition says", async () => {
    await world.consume({ results: true, task: double }, world.messages(), { resultStore: store });
    expect(store.calls).toEqual([]);
    expect(await world.counts()).toMatchObject({ succeeded: 4 });
  });

  test("code without a store puts a message of a run with results back, and the log says how to go on", async () => {
    const kept = await world.consume({ task: double }, messages());
    expect(kept).toEqual(["0", "1", "2", "3"]);
    expect(await world.counts()).toMatchObject({ succeeded: 0, pending: 4 });
    expect(world.metrics.counts).toMatchObject({ newerVersion: 4 });
    expect(JSON.stringify(world.logger.lines)).toContain("deploy one with results, or cancel the run");
  });

  test("a message that replaces another, and a dead letter that is redriven, keep saying it", () => {
    const envelope = parseEnvelope(messages()[0]?.body ?? "");
    expect(parseEnvelope(replacementBody(envelope, 60)).results).toBe(true);
  });
});

describe("a store that refuses", () => {
  test("every item comes back, none is charged, and no item becomes a suspect", async () => {
    store.onCall = () => "refused";
    expect(await consume({})).toEqual(["0", "1", "2", "3"]);
    expect(await world.counts()).toMatchObject({ succeeded: 0, pending: 4, retried: 0 });
    expect(world.metrics.counts).toMatchObject({ resultsNotStored: 4 });
    expect(world.deadLetters).toEqual([]);

    store.onCall = () => undefined;
    const seen: number[] = [];
    const task = (item: unknown, { attempt }: { attempt: number }) => {
      seen.push(attempt);
      return double(item);
    };
    // An isolated attempt would not call this task, because its process has another workflow.
    expect(await consume({ task }, {}, { receiveCount: 2 })).toEqual([]);
    expect(seen).toEqual([1, 1, 1, 1]);
    expect(await world.counts()).toMatchObject({ succeeded: 4, retried: 0 });
    expect(store.lines(RAW)).toHaveLength(4);
  });

  test("a write that took effect leaves rows of items that are not done, and the items come back", async () => {
    store.onCall = () => "answer lost";
    expect(await consume({})).toEqual(["0", "1", "2", "3"]);
    expect(await world.counts()).toMatchObject({ succeeded: 0, pending: 4 });
    expect(store.lines(RAW)).toHaveLength(4);
  });

  test("if the ledger also refuses, nothing is deleted", async () => {
    store.onCall = () => "refused";
    world.store.before = (operation) => {
      if (operation === "update") throw new Error("the ledger is down");
    };
    expect(await consume({})).toEqual(["0", "1", "2", "3"]);
  });
});

describe("a bucket that refuses", () => {
  test.for([
    ["AccessDenied", 403, "the role lacks a right on these objects"],
    ["NoSuchBucket", 404, "the bucket was deleted: deploy the stack again"],
  ] as const)("says %s and how to fix it, and no item is lost", async ([name, status, fix]) => {
    const s3 = new FakeS3Bucket();
    const bucket = new S3ObjectStore("s3://my-bucket/test", sdk, s3.client);
    s3.mock.on(PutObjectCommand).rejects(s3Error(name, status));
    const error = vi.spyOn(world.logger, "error");
    expect(await consume({}, { resultStore: bucket })).toEqual(["0", "1", "2", "3"]);
    expect(await world.counts()).toMatchObject({ succeeded: 0, pending: 4, dead: 0, retried: 0 });
    const message = `could not write s3://my-bucket/test/.*: ${name}: .*${fix}`;
    // One line for the object, which has the results of all four items.
    expect(error).toHaveBeenCalledExactlyOnceWith(
      "results could not be stored, so their items come back to the queue and are attempted again",
      { items: 4, error: expect.objectContaining({ message: expect.stringMatching(message) }) },
    );

    expect(await consume({}, {}, { receiveCount: 2 })).toEqual([]);
    expect(await world.counts()).toMatchObject({ succeeded: 4, retried: 0 });
  });
});

describe("a result that cannot be kept fails its own item only, permanently", () => {
  const cyclic: Record<string, unknown> = {};
  cyclic.self = cyclic;

  test.for<[string, () => unknown, string]>([
    ["a BigInt", () => ({ id: 1n }), '"id" is a BigInt'],
    ["a cyclic object", () => cyclic, "it contains itself"],
    ["a Response", () => new Response("{}"), "it is a Response"],
    ["6 MB", () => "a".repeat(6 * 1_024 * 1_024), `more than the ${LARGEST_RESULT_BYTES} bytes`],
  ])("%s", async ([, bad, message]) => {
    expect(await consume({ task: (item) => (item === 11 ? bad() : double(item)) })).toEqual([]);
    expect(await world.counts()).toMatchObject({ succeeded: 3, dead: 1, deadByReason: { permanent: 1 } });
    const [deadLetter] = world.deadLetters;
    expect(deadLetter).toMatchObject({ index: 1, results: true, dead: { reason: "permanent" } });
    expect(deadLetter?.dead.failures[0]?.message).toContain(message);
    expect(store.lines(RAW).map(({ index }) => index)).toEqual([0, 2, 3]);
  });

  test("the same results are fine where nobody keeps them", async () => {
    await world.consume({ task: () => 1n }, world.messages());
    expect(await world.counts()).toMatchObject({ succeeded: 4 });
  });
});

test("a result that does not fit its schema fails its own item only, permanently", async () => {
  const result = z.object({ doubled: z.number().max(22) });
  expect(await consume({ result })).toEqual([]);
  expect(await world.counts()).toMatchObject({ succeeded: 2, dead: 2, deadByReason: { permanent: 2 } });
  expect(store.lines(RAW).map(({ index }) => index)).toEqual([0, 1]);
});

test("an item whose result is stored and whose success cannot be recorded does not count as one without a result", async () => {
  world.store.before = (operation) => {
    if (operation === "update") throw new Error("the ledger is down");
  };
  expect(await consume({})).toEqual(["0", "1", "2", "3"]);
  expect(world.sqs.visibilities).toEqual([]);
  expect(world.metrics.counts).not.toHaveProperty("resultsNotStored");
});

test("a task that fails leaves no row", async () => {
  await consume({
    task: (item) => {
      if (item === 11) throw new PermanentError("no");
      return double(item);
    },
  });
  expect(store.lines(RAW).map(({ index }) => index)).toEqual([0, 2, 3]);
});

test("large results are stored as soon as they have 4 MB together", async () => {
  const large = "a".repeat(3 * 1_024 * 1_024);
  await consume({ task: () => large });
  expect(store.keys(RAW)).toHaveLength(2);
  expect(store.lines(RAW)).toHaveLength(4);
});
