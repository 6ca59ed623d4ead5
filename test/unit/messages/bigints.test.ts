import { beforeEach, describe, expect, test } from "vitest";
import { MalformedMessageError } from "../../../shared/base/errors.ts";
import { toExportLine } from "../../../shared/dead-letters/export.ts";
import { DeadLetterGroups } from "../../../shared/dead-letters/groups.ts";
import { importDeadLetters } from "../../../shared/dead-letters/import.ts";
import { purge } from "../../../shared/dead-letters/purge.ts";
import { toDeadLetter } from "../../../shared/dead-letters/read-dead-letter.ts";
import { redrive } from "../../../shared/dead-letters/redrive.ts";
import { toItemJson } from "../../../shared/messages/body.ts";
import { deadLetterBody } from "../../../shared/messages/dead-letter.ts";
import { envelopeBody, parseEnvelope } from "../../../shared/messages/envelope.ts";
import { ConsumerWorld } from "../../helpers/consumer-world.ts";
import { DeadLettersWorld, DLQ, QUEUE, WORKFLOW } from "../../helpers/dead-letters-world.ts";
import { failureOf } from "../../helpers/failures.ts";

/** Bigints of both kinds beside numbers of both kinds. */
const ITEM = { id: 12345678901234567n, small: 5n, number: 5, large: 1e20, list: [-1n, -1] };
const header = { workflow: WORKFLOW, run: "run", partition: 0, page: 0, epoch: 1, resent: false };
const body = envelopeBody(header, 0, toItemJson(ITEM));
const death = {
  reason: "exhausted",
  at: "2026-11-27T08:00:00.000Z",
  failures: [failureOf(new Error("x"), 1)],
} as const;

describe("an item with bigints", () => {
  let world: DeadLettersWorld;
  beforeEach(async () => {
    world = new DeadLettersWorld();
    await world.produce(1);
    await world.die(parseEnvelope(body));
  });

  const redriven = () => world.queues.of(QUEUE).map((message) => parseEnvelope(message.body).item);

  test("comes back the same from its message, whose other readers see the right numbers", () => {
    expect(parseEnvelope(body)).toEqual({
      sluice: 2,
      workflow: WORKFLOW,
      run: "run",
      page: 0,
      epoch: 1,
      index: 0,
      bigints: true,
      item: ITEM,
    });
    expect(body).toContain('"id":12345678901234567,"small":5.0,"number":5,"large":1e+20');
  });

  test("reaches the task as it is", async () => {
    const tasks: unknown[] = [];
    const consumers = await ConsumerWorld.of([null]);
    const message = consumers.raw(envelopeBody({ ...header, workflow: "test", run: "r1" }, 0, toItemJson(ITEM)));
    const consumer = consumers.consumer({ task: async (item) => void tasks.push(item) });
    await consumer.consume(
      [
        {
          ...message,
          body: message.body.replace('"run":"r1"', consumers.message(0).body.match(/"run":"[^"]*"/)?.[0] ?? ""),
        },
      ],
      Date.now() + 60_000,
    );
    expect(tasks).toEqual([ITEM]);
  });

  test("is in its dead letter, and in the next one, unchanged", () => {
    const first = parseEnvelope(deadLetterBody(parseEnvelope(body), death));
    expect(first.item).toEqual(ITEM);
    expect(parseEnvelope(deadLetterBody(first, death)).item).toEqual(ITEM);
    expect(toDeadLetter({ id: "a", receiptHandle: "", receiveCount: 1, attributes: {}, body }).item).toEqual(ITEM);
  });

  test("is redriven as it is", async () => {
    await redrive({ ...world.options, select: () => true });
    expect(redriven()).toEqual([ITEM]);
  });

  test("is redriven with an edit that has bigints, or has none any more", async () => {
    await redrive({ ...world.options, select: () => true, edit: () => ({ id: 7n }) });
    expect(redriven()).toEqual([{ id: 7n }]);
    await world.work(() => false);
    await redrive({ ...world.options, select: () => true, edit: () => ({ id: 7 }) });
    expect(redriven()).toEqual([{ id: 7 }]);
    expect(world.queues.of(QUEUE)[0]?.body).not.toContain('"bigints":true');
  });

  test("is exported with its digits, and imported as it was", async () => {
    const [deadLetter] = world.queues.of(DLQ);
    if (deadLetter === undefined) throw new Error("there is no dead letter");
    const line = toExportLine(
      toDeadLetter({ id: deadLetter.id, receiptHandle: "", receiveCount: 1, attributes: {}, body: deadLetter.body }),
    );
    expect(line).toContain('"item":{"id":12345678901234567,"small":5,');
    await purge({ ...world.options, select: () => true });
    expect(await importDeadLetters({ ...world.options, workflow: WORKFLOW, lines: [line] })).toMatchObject({
      imported: 1,
    });
    expect(world.queues.of(DLQ).map((message) => parseEnvelope(message.body).item)).toEqual([ITEM]);
  });

  test("is grouped and shown with its digits", () => {
    const groups = new DeadLetterGroups("error");
    groups.add(toDeadLetter({ id: "a", receiptHandle: "", receiveCount: 1, attributes: {}, body }));
    expect(groups.sorted[0]?.example.item).toBe(
      '{"id":12345678901234567,"small":5,"number":5,"large":100000000000000000000,"list":[-1,-1]}',
    );
  });
});

test("A message that says it has bigints otherwise than by true is no envelope", () => {
  expect(() => parseEnvelope(body.replace('"bigints":true', '"bigints":1'))).toThrow(MalformedMessageError);
});

test("A foreign message keeps its digits when its body is changed", async () => {
  const world = new DeadLettersWorld();
  world.queues.put(DLQ, '{"id":12345678901234567,"n":1}');
  await redrive({
    ...world.options,
    select: () => true,
    edit: ({ item }) => ({ ...(item as object), n: 2 }),
  });
  expect(world.queues.of(QUEUE).map((message) => message.body)).toEqual(['{"id":12345678901234567,"n":2}']);
});
