import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { reachServices, type ServiceClients } from "../../../../local/local-services.ts";
import { StateDirectory } from "../../../../local/state-directory.ts";
import type { ReceivedMessage } from "../../../../shared/aws/received-message.ts";
import { CliWorld, type Command, workflowFile } from "../../../helpers/cli.ts";
import { statusOf } from "../../../helpers/mortal-world.ts";

const TOTAL = 108;
const HELD = 80;

let world: CliWorld;
let run: Command;
let services: ServiceClients;
/** The receipt handles of the dead letters that another scan holds. */
let handles: readonly string[] = [];
let heldId = "";

// An engine is running, all dead letters are in the queue, and another scan holds most of them.
beforeAll(async () => {
  world = new CliWorld();
  run = world.begin("run", workflowFile("many-dead"), "--json");
  await world.begun(1);
  await world.until(async () => Number((await statusOf(world))?.dead) === TOTAL);
  services = await reachServices("many-dead", new StateDirectory("many-dead", join(world.path, ".sluice")));
  expect((await world.type("dlq", "export", "all.jsonl")).code).toBe(0);
  const held: ReceivedMessage[] = [];
  while (held.length < HELD) {
    held.push(...(await services.deadLetterQueue.receive({ max: 10, waitSeconds: 0, visibilityTimeoutSeconds: 600 })));
  }
  handles = held.map(({ receiptHandle }) => receiptHandle);
  heldId = held[0]?.id ?? "";
});

afterAll(async () => {
  await services.close();
  world.open();
  await run.ended;
  world[Symbol.dispose]();
});

const again = "Run this command again when the other command has ended";

test("dead letters that another scan holds are reported, and a list or an export of the rest exits with 2", async () => {
  const listed = await world.type("dlq", "list");
  expect(listed.code).toBe(2);
  expect(listed.stdout).toMatch(/^many-dead on this machine: 28 of 108 dead letters\n/);
  expect(listed.stdout).toContain(`note 80 more dead letters are held by another command`);
  expect(listed.stdout).toContain(again);
  const { json, code } = await world.type("dlq", "list", "--json");
  expect(code).toBe(2);
  expect(json.at(-1)).toMatchObject({ type: "totals", deadLetters: 28, heldElsewhere: 80, complete: false });

  // A dead letter that is held may match, so the exit code is 2 and not 3.
  const none = await world.type("dlq", "list", "--reason", "exhausted");
  expect(none.code).toBe(2);
  expect(none.stdout).toMatch(
    /^many-dead on this machine: none of the 28 dead letters that could be read \(108 in all\) matches the filters\n/,
  );

  const exported = await world.type("dlq", "export", "part.jsonl", "--json");
  expect(exported.code).toBe(2);
  expect(exported.json).toMatchObject([{ type: "exported", deadLetters: 28, heldElsewhere: 80, complete: false }]);
  expect(exported.stderr).toContain("80 more dead letters are held");
  const printed = await world.type("dlq", "export");
  expect({ code: printed.code, lines: printed.stdout.trimEnd().split("\n").length }).toEqual({ code: 2, lines: 28 });
});

test("a dead letter that is held is not reported as unknown", async () => {
  const shown = await world.type("dlq", "show", heldId);
  expect(shown.code).toBe(2);
  expect(shown.stderr).toMatch(/none of the 28 dead letters that could be read has an id that begins with/);
  expect(shown.stderr).toContain(again);
  const [error] = (await world.type("dlq", "redrive", heldId, "--yes", "--json")).json;
  expect(error).toMatchObject({ type: "error", code: "LETTERS_HELD" });
});

test("an import puts nothing back that may be there, and redrives and purges of a part exit with 2", async () => {
  const imported = await world.type("dlq", "import", "all.jsonl");
  expect(imported.code).toBe(2);
  expect(imported.stderr).toContain("nothing was put back");
  expect((await world.type("dlq", "import", "all.jsonl", "--dry-run")).code).toBe(2);

  const planned = await world.type("dlq", "purge", "--dry-run");
  expect(planned.code).toBe(2);
  expect(planned.stdout).toContain(
    "28 of the 28 dead letters that could be read (108 in all) of many-dead on this machine would be deleted.",
  );

  // The dead letter that is named by its id can be read, so it does not matter that others are held.
  const { json } = await world.type("dlq", "list", "--by", "dead-letter", "--json");
  const named = await world.type("dlq", "purge", String(json[0]?.id), "--yes", "--no-backup", "--json");
  expect(named.code).toBe(0);
  expect(named.json).toMatchObject([{ type: "purged", deleted: 1, heldElsewhere: 80 }]);

  const purged = await world.type("dlq", "purge", "--yes", "--json", "--backup", "gone.jsonl");
  expect(purged.code).toBe(2);
  expect(purged.json).toMatchObject([{ type: "purged", deleted: 27, heldElsewhere: 80, complete: false }]);

  // Now no dead letter can be read.
  const nothing = await world.type("dlq");
  expect(nothing.code).toBe(2);
  expect(nothing.stdout).toMatch(/^many-dead on this machine: none of 80 dead letters could be read\n/);
});

test("once the other scan has ended, all dead letters can be read", async () => {
  await services.deadLetterQueue.changeVisibilities(
    handles.slice(0, 10).map((receiptHandle) => ({ receiptHandle, milliseconds: 0 })),
  );
  const redriven = await world.type("dlq", "redrive", "--yes");
  expect(redriven.code).toBe(2);
  // Items that died again in between stay. Otherwise they would be sent back forever.
  expect(redriven.stdout).toMatch(
    /^10 dead letters of many-dead on this machine were sent back\. (7\d|80) stay in the/,
  );
  for (let first = 10; first < HELD; first += 10) {
    const some = handles.slice(first, first + 10);
    await services.deadLetterQueue.changeVisibilities(
      some.map((receiptHandle) => ({ receiptHandle, milliseconds: 0 })),
    );
  }
  const { code, json } = await world.type("dlq", "list", "--json");
  expect(code).toBe(0);
  expect(json.at(-1)).toMatchObject({ heldElsewhere: 0, complete: true });
});
