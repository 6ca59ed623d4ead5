import { expect, test } from "vitest";
import { CliWorld, workflowFile } from "../../helpers/cli.ts";

test("logs follows a run, prints its lines afterwards, and finds those of an item and the errors", async () => {
  using world = new CliWorld();
  const none = await world.type("logs");
  expect(none.code).toBe(1);
  expect(none.stderr).toContain("no workflow has been run here");

  const run = world.begin("run", workflowFile("talkative"), "--json");
  await run.printed('"started"');
  const followed = world.begin("logs", "talkative", "-f");
  await followed.printed("dead letter");
  world.open();
  const { json } = await run.ended;
  const id = String(json[0]?.run);
  const { code, stdout } = await followed.ended;
  expect(code).toBe(0);
  expect(stdout).toContain("the gate is open");

  const all = await world.type("logs");
  expect(all.code).toBe(0);
  expect(all.stdout).toMatch(/ warn {3}0\/1 {2}something is odd {2}color=red\n {2}RangeError: too far\n {6}at /);
  expect(all.stdout).toContain("from console.log");
  expect(all.stdout).toMatch(/ warn {3}0\/3 {2}dead letter {2}reason=permanent {2}failure="no such thing"\n/);
  expect(all.stdout).not.toContain("_aws");

  const ofItem = await world.type("logs", "--item", `${id}/0/1`, "--json");
  expect(ofItem.json).toEqual([
    {
      type: "log",
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      function: "consumer",
      level: "warn",
      run: id,
      item: `${id}/0/1`,
      attempt: 1,
      message: "something is odd",
      fields: { color: "red", error: expect.objectContaining({ name: "RangeError", message: "too far" }) },
    },
  ]);
  const errors = await world.type("logs", id, "--error");
  expect(errors.stdout).toMatch(/^[\d:.]+ {2}warn {3}0\/3 {2}dead letter .*\n$/);

  const silent = await world.type("logs", "--item", "0/0");
  expect(silent.code).toBe(3);
  expect(silent.stderr).toBe("No line matches.\n");
  const unknown = await world.type("logs", "20261122-081530-3fa9");
  expect(unknown.code).toBe(1);
  expect(unknown.stderr).toContain('there is no run or workflow "20261122-081530-3fa9" in the logs here');
  const wrong = await world.type("logs", "--item", "three");
  expect(wrong.code).toBe(1);
  expect(wrong.stderr).toContain("--item must be the id of an item");

  // A second run keeps the lines of the first one.
  await world.type("run", workflowFile("talkative"), "--items", "1");
  const second = await world.type("logs", "--json");
  expect(second.json.map(({ message }) => message)).not.toContain("dead letter");
  const first = await world.type("logs", id, "--error");
  expect(first.code).toBe(0);
});
