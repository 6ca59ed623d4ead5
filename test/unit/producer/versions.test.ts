import { expect, test } from "vitest";
import { runKey } from "../../../shared/ledger/keys.ts";
import { completeEntry, continueEntry, startEntry } from "../../../shared/messages/control.ts";
import { ProducerWorld, REQUESTED_AT, RUN } from "../../helpers/producer-world.ts";

const newer = { body: JSON.stringify({ sluice: 4, type: "continue", run: RUN, lane: 3 }), group: RUN };

test("a control message of a newer version waits, longer each time, and is not dead-lettered", async () => {
  const world = new ProducerWorld({});
  // random is 0.5, which subtracts an eighth.
  expect(await world.handle(newer)).toEqual({ tag: "wait", milliseconds: 4_375 });
  expect(await world.handle(newer, 7)).toEqual({ tag: "wait", milliseconds: 280_000 });
  // Near the receive limit, SQS would soon dead-letter the message.
  expect(await world.handle(newer, 99)).toEqual({ tag: "wait", milliseconds: 11 * 3_600_000 });
  expect(world.sqs.control).toEqual([]);
  expect(world.metrics.counts).toEqual({ newerVersion: 3 });
  expect(world.logger.lines[0]).toBe("warn: put back a control message for a newer version of Sluice");
});

test.each([
  ["a start", startEntry({ workflow: "test", run: RUN, requestedAt: REQUESTED_AT })],
  ["a continuation", continueEntry({ workflow: "test", run: RUN, hop: 1 })],
  ["a completion", completeEntry({ workflow: "test", run: RUN })],
])("%s of a run that a newer version began waits, and nothing is written", async (_, entry) => {
  const world = new ProducerWorld({});
  await world.start();
  await world.store.update(runKey(RUN), { set: { version: 4, completedAt: REQUESTED_AT } });
  const row = await world.store.get(runKey(RUN));
  world.sqs.control.length = 0;
  expect(await world.handle(entry)).toMatchObject({ tag: "wait" });
  expect(await world.store.get(runKey(RUN))).toEqual(row);
  expect(world.sqs.control).toEqual([]);
  expect(world.metrics.counts).toMatchObject({ newerVersion: 1 });
});

test("commands refuse a run that a newer version began, and do not change it", async () => {
  const world = new ProducerWorld({});
  await world.start();
  await world.store.update(runKey(RUN), { set: { version: 4 } });
  const row = await world.store.get(runKey(RUN));
  for (const refuse of [
    () => world.runs.get(RUN),
    () => world.runs.latest(10),
    () => world.runs.pause(RUN),
    () => world.runs.cancel(RUN),
    () => world.runs.reopen(RUN),
  ]) {
    await expect(refuse()).rejects.toThrow(
      `run ${RUN} has version 4, and this Sluice reads versions up to 3: use the version of Sluice that wrote`,
    );
  }
  expect(await world.store.get(runKey(RUN))).toEqual(row);
});
