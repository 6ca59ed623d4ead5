import { describe, expect, test, vi } from "vitest";
import { exportDeadLetters, toExportLine } from "../../../shared/dead-letters/export.ts";
import { importDeadLetters } from "../../../shared/dead-letters/import.ts";
import { purge } from "../../../shared/dead-letters/purge.ts";
import type { DeadLetter } from "../../../shared/dead-letters/read-dead-letter.ts";
import { redrive } from "../../../shared/dead-letters/redrive.ts";
import { parseEnvelope } from "../../../shared/messages/envelope.ts";
import { DeadLettersWorld, DLQ } from "../../helpers/dead-letters-world.ts";

async function dead(items: number): Promise<DeadLettersWorld> {
  const world = new DeadLettersWorld();
  await world.produce(items);
  for (let index = 0; index < items; index++) await world.die(world.envelope(index));
  return world;
}

const select = () => true;

async function exported(world: DeadLettersWorld): Promise<string[]> {
  const lines: string[] = [];
  const write = async (deadLetters: readonly DeadLetter[]) => void lines.push(...deadLetters.map(toExportLine));
  await exportDeadLetters({ ...world.options, write });
  return lines;
}

describe("A purge", () => {
  test("deletes the selected dead letters, each after its backup", async () => {
    const world = await dead(25);
    const kept: string[] = [];
    const result = await purge({
      ...world.options,
      select: ({ index }) => Number(index) < 20,
      backup: async (deadLetters) => {
        for (const { id } of deadLetters)
          expect(world.deadLetters.some((deadLetter) => deadLetter.id === id)).toBe(true);
        kept.push(...deadLetters.map(({ body }) => body));
      },
    });
    expect(result).toMatchObject({ looked: 25, selected: 20, deleted: 20, leftBehind: 0 });
    expect(kept).toHaveLength(20);
    expect(world.deadLetters.map(({ body }) => parseEnvelope(body).index)).toEqual([20, 21, 22, 23, 24]);
    expect(await world.counts()).toMatchObject({ dead: 25, pending: 0 });
  });

  test("deletes no dead letter whose backup failed", async () => {
    const world = await dead(3);
    const backup = () => Promise.reject(new Error("no space left on device"));
    await expect(purge({ ...world.options, select, backup })).rejects.toThrow("no space left");
    expect(world.deadLetters).toHaveLength(3);
    expect(world.deadLetters.every(({ visibleAt }) => visibleAt <= world.queues.now)).toBe(true);
  });

  test("changes nothing in a dry run", async () => {
    const world = await dead(3);
    const backup = vi.fn();
    expect(await purge({ ...world.options, select, backup, dryRun: true })).toMatchObject({ selected: 3, deleted: 3 });
    expect(backup).not.toHaveBeenCalled();
    expect(world.deadLetters).toHaveLength(3);
  });

  test("leaves dead letters of a newer version in the queue, and returns their number", async () => {
    const world = await dead(2);
    const newer = JSON.stringify({ sluice: 6, dead: {} });
    await world.deadLetterQueue.sendAll([{ body: newer }]);
    const kept: string[] = [];
    const backup = async (deadLetters: readonly DeadLetter[]) => void kept.push(...deadLetters.map(({ body }) => body));
    const result = await purge({ ...world.options, select, backup });
    expect(result).toMatchObject({ looked: 3, selected: 2, deleted: 2, newer: 1 });
    expect(world.deadLetters.map(({ body }) => body)).toEqual([newer]);
    expect(kept).not.toContain(newer);
  });

  test("returns how many dead letters SQS refused to delete", async () => {
    const world = await dead(2);
    const [stubborn] = world.deadLetters;
    world.queues.refuses = (action, message) => action === "delete" && message === stubborn;
    expect(await purge({ ...world.options, select })).toMatchObject({ deleted: 1, leftBehind: 1 });
    expect(world.deadLetters).toEqual([stubborn]);
  });

  test("ends a run whose last pending item is in a message that SQS moved, and announces the end", async () => {
    const world = new DeadLettersWorld();
    await world.produce(2);
    await world.succeed(world.envelope(0));
    world.queues.put(DLQ, JSON.stringify(world.envelope(1)), { movedFrom: "arn:aws:sqs:x:1:queue" });
    expect(await world.counts()).toMatchObject({ pending: 1 });
    await purge({ ...world.options, select });
    expect(await world.counts()).toMatchObject({ pending: 0, dead: 1, deadByReason: { unexplained: 1 } });
    expect((await world.runs.get("run")).status).toBe("completed");
    expect(world.announced).toEqual(["run"]);
  });

  test("records no death for a moved message whose item has settled or is not known", async () => {
    const world = await dead(1);
    world.queues.put(DLQ, JSON.stringify(world.envelope(0)));
    world.queues.put(DLQ, JSON.stringify(world.envelope(0, 0, "gone")));
    world.queues.put(DLQ, "hello");
    expect(await purge({ ...world.options, select })).toMatchObject({ deleted: 4 });
    expect(await world.counts()).toMatchObject({ dead: 1, deadByReason: { exhausted: 1 } });
  });
});

describe("An import", () => {
  test("puts back the exported bodies and attributes unchanged", async () => {
    const world = await dead(12);
    const attributes = {
      text: { DataType: "String", StringValue: "ü" },
      bytes: { DataType: "Binary.x", BinaryValue: Uint8Array.from([0, 255]) },
    };
    world.queues.put(DLQ, "not ours \u{1F600}", { attributes });
    const before = world.deadLetters.map(({ body, attributes }) => ({ body, attributes }));
    const lines = await exported(world);
    expect(lines).toHaveLength(13);
    await purge({ ...world.options, select });
    expect(await importDeadLetters({ ...world.options, lines })).toMatchObject({ read: 13, imported: 13 });
    const after = world.deadLetters.map(({ body, attributes }) => ({ body, attributes }));
    expect(after.map(({ body }) => body)).toEqual(before.map(({ body }) => body));
    expect(after.at(-1)?.attributes.bytes).toEqual({ DataType: "Binary.x", BinaryValue: Buffer.from([0, 255]) });
    expect(after.at(-1)?.attributes.text).toEqual(attributes.text);
  });

  test("puts nothing back while another command holds dead letters, which may be the same ones", async () => {
    const world = await dead(4);
    const lines = await exported(world);
    await world.deadLetterQueue.receive({ max: 3, waitSeconds: 0, visibilityTimeoutSeconds: 60 });
    const imported = importDeadLetters({ ...world.options, lines });
    await expect(imported).rejects.toMatchObject({ code: "LETTERS_HELD" });
    await expect(imported).rejects.toThrow(
      "nothing was put back, because some dead letters of the queue could not be read. Those of the file may be among them",
    );
    expect(world.deadLetters).toHaveLength(4);
    const tried = await importDeadLetters({ ...world.options, lines, dryRun: true });
    expect(tried).toMatchObject({ alreadyThere: 1, scan: { looked: 1, heldElsewhere: 3, complete: false } });
  });

  test("can be repeated: it skips dead letters in the queue, and items that are pending or have succeeded", async () => {
    const world = await dead(4);
    // The queue can have several equal foreign dead letters, and each counts.
    for (const body of ["same", "same", "same"]) world.queues.put(DLQ, body);
    const lines = await exported(world);
    await redrive({ ...world.options, select: ({ index }) => index === 0 });
    await world.work(() => true);
    await redrive({ ...world.options, select: ({ index }) => index === 1 });
    const gone = new Set([2]);
    let foreign = 0;
    await purge({
      ...world.options,
      select: ({ kind, index }) => (kind === "foreign" ? foreign++ === 0 : gone.has(Number(index))),
    });
    const counts = { read: 7, alreadyDone: 1, atWork: 1 };
    const tried = await importDeadLetters({ ...world.options, lines, dryRun: true });
    expect(tried).toMatchObject({ ...counts, imported: 2, alreadyThere: 3 });
    expect(await importDeadLetters({ ...world.options, lines })).toMatchObject({
      ...counts,
      imported: 2,
      alreadyThere: 3,
    });
    expect(await importDeadLetters({ ...world.options, lines })).toMatchObject({
      ...counts,
      imported: 0,
      alreadyThere: 5,
    });
  });

  test.each(["older", "newer"])(
    "that puts back an item's %s dead letter first skips the item's other dead letter",
    async (first) => {
      const world = await dead(1);
      const older = await exported(world);
      await redrive({ ...world.options, select });
      await world.work(() => false);
      const newer = await exported(world);
      await purge({ ...world.options, select });
      expect(newer).not.toEqual(older);
      const files = first === "older" ? [older, newer] : [newer, older];
      const counts: unknown[] = [];
      for (const lines of files) {
        const { imported, alreadyThere } = await importDeadLetters({ ...world.options, lines });
        counts.push({ imported, alreadyThere });
      }
      expect(counts).toEqual([
        { imported: 1, alreadyThere: 0 },
        { imported: 0, alreadyThere: 1 },
      ]);
      expect(world.deadLetters).toHaveLength(1);
    },
  );

  test("puts a dead letter back once if the file has it twice", async () => {
    const world = await dead(1);
    const [line = ""] = await exported(world);
    await purge({ ...world.options, select });
    const lines = [line, "", line];
    expect(await importDeadLetters({ ...world.options, lines })).toMatchObject({
      read: 2,
      imported: 1,
      alreadyThere: 1,
    });
  });

  test("names lines that are not dead letters, and continues", async () => {
    const world = await dead(1);
    const [line = ""] = await exported(world);
    await purge({ ...world.options, select });
    const lines = ["{", '{"body":"x"}', line, '{"sluiceLetter":1,"body":""}', '{"sluiceLetter":2,"body":"x"}'];
    const result = await importDeadLetters({ ...world.options, lines });
    expect(result).toMatchObject({ read: 1, imported: 1, invalidLines: 4 });
    expect(result.invalid.map(({ line }) => line)).toEqual([1, 2, 4, 5]);
    expect(result.invalid[1]?.message).toContain("sluiceLetter");
  });

  test("returns how many dead letters SQS refused", async () => {
    const world = await dead(2);
    const lines = await exported(world);
    await purge({ ...world.options, select });
    world.queues.refuses = (action, body) => action === "send" && String(body).includes('"index":1');
    expect(await importDeadLetters({ ...world.options, lines })).toMatchObject({ imported: 1, refused: 1 });
  });
});
