import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { CliWorld, workflowFile } from "../../helpers/cli.ts";

test("try reads page 1 only, and shows the cursor, the fields, and each item with its result or error in full", async () => {
  using world = new CliWorld();
  const { code, stdout, stderr } = await world.type("try", workflowFile("triable"));
  expect(stderr).toBe("");
  const lines = stdout.split("\n");
  expect(lines[0]).toBe('triable · page 1 of the source: 6 items · page 2 begins at the cursor {"after":6}');
  expect(lines).toContain("warning the list is long");
  expect(lines).toContain('  fields: "kind", " Id" · the schema finds all fields that it requires');
  expect(lines).toContain('  not in the schema: " Id"');
  expect(lines).toContain('  warning blanks around the name: " Id"');
  expect(stdout).toMatch(
    /^item 1 {2}succeeded in \d+ ms\n {2}item {4}\{ kind: 'good', ' Id': '1' \}\n {2}log {5}info: working \{ kind: 'good' \}\n {2}result {2}\{ kind: 'good', id: 'try-[\w-]+\/0\/0' \}$/m,
  );
  // The stack trace names the line of the user's file, and not one of the bundle.
  expect(stdout).toMatch(/^ {2}error {3}PermanentError: no such thing\n {10}at .*workflows\/triable\.ts:\d+:\d+\)?$/m);
  expect(stdout).toContain('next    in a run, the item would be a dead letter with the reason "permanent"');
  expect(stdout).toContain("next    a run would wait 5 min, and use up no attempt");
  expect(stdout).toContain("error   TypeError: a mistake\\u001b[31m");
  expect(stdout).toContain("next    a run would try again, up to 5 attempts in all");
  expect(stdout).toContain("error   Error: from a timer");
  expect(lines.at(-2)).toBe("5 items tried: 1 succeeded, 4 failed. Nothing was recorded.");
  expect(code).toBe(2);
  expect(existsSync(join(world.path, ".sluice"))).toBe(false);
  expect(readdirSync(world.path)).toEqual([]);
});

test("try --item runs the task for the given items, and reads no source", async () => {
  using world = new CliWorld();
  const file = workflowFile("triable");
  const { code, json } = await world.type("try", file, "--item", '{"kind":"good"}', "--item", '{"id":1}', "--json");
  expect(json).toMatchObject([
    { type: "item", number: 1, outcome: "succeeded", item: { kind: "good" }, result: { kind: "good" } },
    {
      type: "item",
      number: 2,
      outcome: "failed",
      reason: "invalid item",
      error: { name: "InvalidItemError", message: expect.stringContaining("kind: ") },
    },
    { type: "summary", workflow: "triable", tried: 2, succeeded: 1, failed: 1 },
  ]);
  expect(code).toBe(2);
  const good = await world.type("try", file, "--item", '{"kind":"good"}');
  expect(good.code).toBe(0);
  const wrong = await world.type("try", file, "--item", "{kind}");
  expect(wrong.code).toBe(1);
  expect(wrong.stderr).toContain("--item is not JSON");
  const both = await world.type("try", file, "--item", '{"kind":"good"}', "--items", "2");
  expect(both.code).toBe(1);
  expect(both.stderr).toContain("cannot be used with");
});

test("try --json describes the page, then the items, then the counts", async () => {
  using world = new CliWorld();
  const { json } = await world.type("try", workflowFile("triable"), "--items", "1", "--json");
  expect(json).toMatchObject([
    {
      type: "page",
      workflow: "triable",
      items: 6,
      ended: false,
      cursor: { after: 6 },
      warnings: ["the list is long"],
      findings: { fields: ["kind", " Id"], missing: [], unknown: [" Id"], blanks: [" Id"] },
    },
    { type: "item", number: 1, outcome: "succeeded", logs: [{ level: "info", message: "working" }] },
    { type: "summary", tried: 1, succeeded: 1, failed: 0 },
  ]);
});

test("try starts what the workflow needs on this machine, and ends it", async () => {
  using world = new CliWorld();
  const cities = fileURLToPath(new URL("../../../workflows/cities.ts", import.meta.url));
  // The service of this workflow may refuse an item, but the source is read from it.
  const { code, json, stderr } = await world.begin("try", cities, "--items", "1", "--json").ended;
  expect(stderr).toBe("");
  expect(json[0]).toMatchObject({ type: "page", workflow: "cities", ended: false });
  expect(json.at(-1)).toMatchObject({ type: "summary", tried: 1 });
  expect(code).toBe(Number(json.at(-1)?.failed) === 0 ? 0 : 2);
});

test("a source that fails ends the command with its error", async () => {
  using world = new CliWorld();
  const { code, stderr } = await world.type("try", workflowFile("unreadable"));
  expect(code).toBe(1);
  expect(stderr).toContain("no such table");
});
