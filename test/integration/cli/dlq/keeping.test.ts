import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { beforeAll, expect, test } from "vitest";
import { CliWorld, withoutProgress } from "../../../helpers/cli.ts";
import { deadByReason, mortalWorld, sendForeign, statusOf } from "../../../helpers/mortal-world.ts";

let died: Awaited<ReturnType<typeof mortalWorld>>;
beforeAll(async () => {
  died = await mortalWorld();
});

const lines = (text: string) => text.trimEnd().split("\n");

test("export writes dead letters and leaves them; purge asks, backs up and deletes; import puts them back, once", async () => {
  using world = new CliWorld(died);
  await sendForeign(world, [{ body: "not ours", attributes: { Who: { DataType: "String", StringValue: "them" } } }]);
  const exported = await world.type("dlq", "export", "all.jsonl");
  expect(exported).toMatchObject({
    code: 0,
    stdout: "12 dead letters of mortal on this machine written to all.jsonl\n",
  });
  expect(
    lines(world.read("all.jsonl"))
      .map((line) => JSON.parse(line).kind)
      .sort(),
  ).toEqual([...Array.from({ length: 11 }, () => "dead letter"), "foreign"]);
  const again = await world.type("dlq", "export", "all.jsonl");
  expect(again.code).toBe(1);
  expect(again.stderr).toContain("all.jsonl exists already: give another name, or replace it with --force");

  const unasked = await world.type("dlq", "purge", "--reason", "exhausted");
  expect(unasked.code).toBe(1);
  expect(unasked.stdout).toMatch(/^Dry run: 8 of 12 dead letters of mortal on this machine would be deleted\./);
  expect(unasked.stderr).toMatch(
    /Delete 8 dead letters of mortal on this machine\? They are written to dead-letters-mortal-\d{8}-\d{6}\.jsonl first\. .*add --yes/,
  );
  const backups = () => readdirSync(world.path).filter((name) => name.startsWith("dead-letters-"));
  expect(backups()).toEqual([]);
  const purged = await world.type("dlq", "purge", "--reason", "exhausted", "--yes");
  const [backup = ""] = backups();
  expect(purged).toMatchObject({ code: 0 });
  expect(purged.stdout).toBe(
    `8 dead letters of mortal on this machine were deleted, and are in ${backup}.\n\n  npx sluice dlq import ${backup}  put them back\n`,
  );
  expect(lines(world.read(backup))).toHaveLength(8);
  expect(await deadByReason(world)).toEqual({ permanent: 2, "malformed message": 1, "invalid item": 1 });

  // Of all of them, four are there.
  writeFileSync(join(world.path, "all.jsonl"), `${world.read("all.jsonl")}{"not":"a dead letter"}\nnonsense\n`);
  const imported = await world.type("dlq", "import", "all.jsonl");
  expect(imported.code).toBe(2);
  expect(lines(imported.stdout).slice(0, 3)).toEqual([
    "8 dead letters of 12 were put back into the dead-letter queue of mortal on this machine.",
    "  4 skipped: already in the queue",
    "  2 invalid: these lines are not exported dead letters",
  ]);
  expect(imported.stdout).toMatch(/\n {4}line 13: .*\n {4}line 14: /);
  expect(await deadByReason(world)).toEqual({
    exhausted: 8,
    permanent: 2,
    "malformed message": 1,
    "invalid item": 1,
  });
  // Deleting and putting back is nothing that a run counts.
  expect(await statusOf(world)).toMatchObject({ succeeded: 5, dead: 11, pending: 0 });
});

test("export as CSV is a table that no spreadsheet runs, and goes to the standard output where no file is named", async () => {
  using world = new CliWorld(died);
  await sendForeign(world, [{ body: '=HYPERLINK("http://evil.example")' }]);
  const { code, stdout, stderr } = await world.type("dlq", "export", "--csv");
  expect({ code, stderr: withoutProgress(stderr) }).toEqual({ code: 0, stderr: "" });
  const rows = parse(stdout, { columns: true }) as Record<string, string>[];
  expect(rows).toHaveLength(12);
  expect(rows.find(({ reason }) => reason === "invalid item")).toMatchObject({
    workflow: "mortal",
    kind: "dead letter",
    attempts: "1",
    errorName: "InvalidItemError",
    item: '{"id":301,"country":"Kosovo"}',
  });
  expect(rows.find(({ kind }) => kind === "foreign")?.item).toBe(`'=HYPERLINK("http://evil.example")`);

  const some = await world.type("dlq", "export", "--reason", "permanent");
  expect(some.json).toMatchObject([{ sluiceLetter: 1 }, { sluiceLetter: 1 }]);
  const none = await world.type("dlq", "export", "none.jsonl", "--reason", "too-large");
  expect({ code: none.code, stderr: withoutProgress(none.stderr) }).toEqual({
    code: 3,
    stderr: "mortal on this machine: none of 12 dead letters matches the filters\n",
  });
  expect(existsSync(join(world.path, "none.jsonl"))).toBe(false);
});
