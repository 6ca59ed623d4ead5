import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CliWorld, workflowFile } from "../../helpers/cli.ts";

test("redriven letters move from dead to owed, and resume works them off", async () => {
  using world = new CliWorld();
  const status = async () => (await world.type("status", "mendable", "--json")).json.at(-1);
  const ran = await world.type("run", workflowFile("mendable"), "--json");
  expect(ran.json.at(-1)).toMatchObject({ succeeded: 15, dead: 5, deadByReason: { exhausted: 5 } });
  expect(ran.code).toBe(2);
  const nothing = await world.type("resume", "mendable", "--json");
  expect(nothing.code).toBe(1);
  expect(nothing.json.at(-1)).toMatchObject({ code: "RUN_ENDED" });

  const redriven = await world.type("dlq", "redrive", "--reason", "exhausted", "--yes", "--json");
  expect(redriven).toMatchObject({ code: 0, stderr: "" });
  expect(await status()).toMatchObject({ status: "completed", succeeded: 15, dead: 0, owed: 5 });
  expect((await world.type("dlq", "--json")).json.at(-1)).toMatchObject({ letters: 0 });

  writeFileSync(join(world.path, "mended"), "");
  const resumed = await world.type("resume", "--json");
  expect(resumed.json.at(-1)).toMatchObject({ type: "summary", succeeded: 19, dead: 1, retried: 1 + 5 });
  expect(resumed.code).toBe(2);
  expect(await status()).toMatchObject({ status: "completed", succeeded: 19, dead: 1, owed: 0 });

  // The one that died again tells of both its lives.
  const letters = (await world.type("dlq", "export")).stdout;
  const [letter] = letters
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(letter).toMatchObject({
    item: 19,
    redrives: 1,
    failures: [{ attempt: 1 }, { attempt: 2 }, { attempt: 1 }, { attempt: 2 }],
  });
  expect((await world.type("resume", "mendable", "--json")).json.at(-1)).toMatchObject({ code: "RUN_ENDED" });
}, 120_000);
