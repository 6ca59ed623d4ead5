import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { CliWorld, workflowFile } from "../../helpers/cli.ts";

const KILLED = fileURLToPath(new URL("../../helpers/killed-redrive.ts", import.meta.url));

test("a redrive that is killed between sending and deleting loses nothing, and doubles nothing", async () => {
  using world = new CliWorld();
  const status = async () => (await world.type("status", "fixable", "--json")).json.at(-1);
  const deadLetters = async () => (await world.type("dlq", "--json")).json.at(-1);
  await world.type("run", workflowFile("fixable"), "--json");
  const redrive = spawn(process.execPath, ["--no-warnings", KILLED, "fixable"], { cwd: world.path });
  expect(await once(redrive, "exit")).toEqual([null, "SIGKILL"]);

  // They were sent and recorded, but not deleted. No process holds them any more.
  expect(await status()).toMatchObject({ succeeded: 15, dead: 0, pending: 5 });
  expect(await deadLetters()).toMatchObject({ deadLetters: 5, heldElsewhere: 0 });
  writeFileSync(join(world.path, "fixed"), "");
  expect((await world.type("resume", "--json")).json.at(-1)).toMatchObject({ succeeded: 19, dead: 1 });
  expect(await deadLetters()).toMatchObject({ deadLetters: 6 });

  // Four of the extra dead letters belong to items that have succeeded, two to the item that died again.
  const again = await world.type("dlq", "redrive", "--yes", "--json");
  expect(again.json.at(-1)).toMatchObject({ selected: 6, moved: 2, alreadyDone: 4 });
  expect(await status()).toMatchObject({ succeeded: 19, dead: 0, pending: 1 });
  expect((await world.type("resume", "--json")).json.at(-1)).toMatchObject({ succeeded: 19, dead: 1 });
  const { json } = await world.type("dlq", "export");
  // Its two messages may be worked on at once, and leave a dead letter each, with the history that each came with: a dead letter
  // may be there twice, and is never missing.
  expect([1, 2]).toContain(json.length);
  for (const deadLetter of json) expect(deadLetter).toMatchObject({ item: 19, redrives: 2, reason: "exhausted" });
  // No work is left on the run.
  expect((await world.type("resume", "fixable", "--json")).json.at(-1)).toMatchObject({ code: "RUN_ENDED" });
});
