import { expect, test } from "vitest";
import { CliWorld, workflowFile } from "../../../helpers/cli.ts";
import { idsOf, statusOf } from "../../../helpers/mortal-world.ts";

test("while a run works, its dead letters are listed and sent back, it processes them, and no command waits", async () => {
  using world = new CliWorld();
  world.deliverInOrder();
  const run = world.begin("run", workflowFile("gated"), "--json");
  await world.begun(4);
  // The first tasks can begin before the producer has sent the last message and written its checkpoint.
  await world.until(async () => (await statusOf(world))?.produced === 100);
  const listed = await world.type("dlq", "--json");
  expect(listed.json).toMatchObject([
    { type: "group", count: 1, reasons: { permanent: 1 }, example: { item: "3" } },
    { type: "totals", deadLetters: 1 },
  ]);
  const [id = ""] = await idsOf(world);
  expect((await world.type("dlq", "show", id.slice(0, 8))).stdout).toContain(
    ", running: 9 succeeded, 1 dead, 90 pending",
  );
  const { code, stdout } = await world.type("dlq", "redrive", id.slice(0, 8), "--set", "x=1", "--yes");
  // Nothing can be set in a number.
  expect({ code, last: stdout.trimEnd().split("\n").at(-1) }).toEqual({
    code: 2,
    last: expect.stringContaining("--set needs an object or a list, and the item is 3"),
  });
  const redriven = await world.type("dlq", "redrive", id.slice(0, 8), "--yes");
  expect(redriven.code).toBe(0);
  expect(redriven.stdout).toMatch(/npx sluice status \S+ --watch {2}watch them run/);
  expect(await statusOf(world)).toMatchObject({ dead: 0, pending: 91 });
  world.open();
  // The item dies again.
  expect((await run.ended).json.at(-1)).toMatchObject({ type: "summary", status: "completed", succeeded: 99, dead: 1 });
  const again = await world.type("dlq", "--by", "dead-letter", "--json");
  expect(again.json[0]).toMatchObject({ redrives: 1, failures: [{ attempt: 1 }, { attempt: 1 }], item: 3 });
});
