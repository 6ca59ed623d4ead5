import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { CliWorld, withoutProgress } from "../../../helpers/cli.ts";
import {
  deadByReason,
  fix,
  idsOf,
  lastOf,
  mortalWorld,
  sendForeign,
  smallWorld,
  statusOf,
} from "../../../helpers/mortal-world.ts";

let died: Awaited<ReturnType<typeof mortalWorld>>;
beforeAll(async () => {
  died = await mortalWorld();
});

/** A redrive of all 8 would take more than a minute at this rate: a test interrupts it before it ends, however slow the machine. */
const SLOW_RATE = "0.1";

/** Resolves once the redrive under way has sent some. */
async function someArePending(world: CliWorld): Promise<void> {
  // Until it has its own services, the other command would start them, and take them along when it ends.
  await world.exists(".sluice/mortal/engine.json");
  await world.until(async () => Number((await statusOf(world))?.pending) > 0);
}

test("redrive shows what it would send, and sends nothing unless the user says yes", async () => {
  using world = new CliWorld(died);
  const shown = await world.type("dlq", "redrive", "--reason", "exhausted", "--dry-run");
  expect(shown.code).toBe(0);
  expect(shown.stdout).toMatch(
    /^Dry run: 8 of 11 dead letters of mortal on this machine would be sent back\.\n\nCOUNT .*\n +8 {2}exhausted/,
  );
  const unasked = await world.type("dlq", "redrive", "--reason", "exhausted");
  expect(unasked.code).toBe(1);
  expect(unasked.stderr).toContain(
    "Send 8 dead letters of mortal on this machine back to the queue? There is no terminal to confirm this on: add --yes",
  );
  const none = await world.type("dlq", "redrive", "--reason", "too-large", "--yes");
  expect({ code: none.code, stderr: withoutProgress(none.stderr) }).toEqual({
    code: 3,
    stderr: "mortal on this machine: none of 11 dead letters matches the filters\n",
  });
  expect(await statusOf(world)).toMatchObject({ dead: 11, pending: 0 });
});

test("dead letters that are sent back are pending in their run again, and resume processes them", async () => {
  using world = new CliWorld(died);
  const { code, stdout } = await world.type("dlq", "redrive", "--reason", "exhausted", "--yes");
  expect(code).toBe(0);
  const { run } = (await statusOf(world)) ?? {};
  expect(stdout).toMatch(
    /^8 dead letters of mortal on this machine were sent back\. 3 stay in the dead-letter queue\.\n\n/,
  );
  expect(stdout).toContain(`npx sluice resume ${run}`);
  expect(await statusOf(world)).toMatchObject({ succeeded: 5, dead: 3, pending: 8 });
  fix(world);
  expect(lastOf(await world.type("resume", "--json"))).toMatchObject({ type: "summary", succeeded: 13, dead: 3 });
  expect(await statusOf(world)).toMatchObject({ run, succeeded: 13, dead: 3, pending: 0 });
  expect(await deadByReason(world)).toEqual({ permanent: 2, "invalid item": 1 });
});

test("if two workflows have dead letters, --run decides which one is used", async () => {
  using world = new CliWorld(died);
  const { run } = (await statusOf(world)) ?? {};
  world.add(await smallWorld(), "small");

  const unclear = await world.type("dlq", "redrive", "--yes");
  expect(unclear.code).toBe(1);
  expect(unclear.stderr).toContain("Choose one with --workflow <name>");
  const { code, stdout } = await world.type("dlq", "redrive", "--run", String(run), "--yes");
  expect(code).toBe(0);
  expect(stdout).toMatch(/^11 dead letters of mortal on this machine were sent back\./);
  expect((await world.type("dlq", "redrive", "--run", "none", "--workflow", "small", "--yes")).code).toBe(3);
});

test("items are changed by --set and --transform, and items that fail the schema stay and are named", async () => {
  using world = new CliWorld(died);
  const file = join(world.path, "fix.ts");
  writeFileSync(
    file,
    `export default (item: { id: number; country: string }, deadLetter: { reason: string }) => {
      if (item.id === 201) throw new RangeError("not this one");
      if (item.id === 202) return { ...item, country: "Kosovo" };
      if (deadLetter.reason === "invalid item") return { ...item, country: "FR" };
    };`,
  );
  const where = "item.id > `107`";
  const dry = await world.type("dlq", "redrive", "--where", where, "--transform", file, "--dry-run");
  expect(dry.code).toBe(2);
  expect(dry.stdout).toContain(`- {"id":301,"country":"Kosovo"}\n`);
  expect(dry.stdout).toContain(`+ {"id":301,"country":"FR"}\n`);
  const { code, json } = await world.type("dlq", "redrive", "--where", where, "--transform", file, "--yes", "--json");
  expect(code).toBe(2);
  expect(json).toEqual([
    expect.objectContaining({ type: "redriven", selected: 4, moved: 1, edited: 1, refused: { "edit refused": 3 } }),
  ]);
  const [redriven] = json as readonly { refusals: readonly { message: string }[] }[];
  expect(redriven?.refusals.map(({ message }) => message).sort()).toEqual([
    "the item fails the workflow's schema: country: Too big: expected string to have exactly 2 characters",
    "the transform returned nothing, so the dead letter stays",
    "the transform threw RangeError: not this one",
  ]);
  const set = await world.type("dlq", "redrive", "--reason", "permanent", "--set", "country=CH", "--yes");
  expect(set.code).toBe(0);
  expect(set.stdout).toMatch(/^2 dead letters of mortal on this machine were sent back, changed\. 8 stay/);
  const bad = await world.type("dlq", "redrive", "--set", "country=7", "--dry-run");
  expect(bad.code).toBe(2);
  expect(bad.stdout).toContain("8 dead letters cannot be sent: 8 edit refused.");
  // "77" is a text of two characters, as the schema wants it. The number 77 is none.
  const number = await world.type("dlq", "redrive", "--set", "country=77", "--dry-run", "--json");
  expect(JSON.stringify(number.json)).toContain("As a text it passes: --set 'country=\\\"77\\\"'");

  expect(lastOf(await world.type("resume", "--json"))).toMatchObject({ succeeded: 8, dead: 8 });
});

test("an item is edited until it passes the schema; items that are unchanged or deleted stay", async () => {
  using world = new CliWorld(died);
  const ids = await idsOf(world, "--where", "item.id > `200`");
  // Each time it is opened, the editor notes what it sees and goes a step on.
  const editor = join(world.path, "editor.mjs");
  writeFileSync(
    editor,
    `import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
    const file = process.argv[2];
    const text = readFileSync(file, "utf8");
    appendFileSync("seen.txt", text + "=====\\n");
    const steps = [
      [/"Kosovo"/, '"Kosova"'],
      [/"Kosova"/, '"CH'],
      [/"CH/, '"CH"'],
    ];
    const [from, to] = steps.find(([from]) => from.test(text)) ?? [/$/, ""];
    const deleted = text.replace(/\\/\\/ dead letter [^{]*\\{\\s*"id": 202[^}]*\\}/, "");
    writeFileSync(file, deleted.replace(from, to));`,
  );
  world.environment.VISUAL = `"${process.execPath}" "${editor}"`;
  const { code, stdout } = await world.type("dlq", "redrive", ...ids, "--edit", "--yes");
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^1 item changed, 2 unchanged: they stay in the dead-letter queue\.\n1 dead letter of mortal .* was sent back, changed\. 10 stay/,
  );
  const seen = world.read("seen.txt").split("=====\n");
  expect(seen).toHaveLength(4);
  expect(seen[0]).toContain("// The items of 3 dead letters of mortal.");
  expect(seen[1]).toContain("// ✖ the item fails the workflow's schema: country: Too big");
  expect(seen[2]).toContain("// ✖ it is not JSON: ");

  // Items that are opened but not changed are not sent.
  world.environment.VISUAL = "true";
  const unchanged = await world.type("dlq", "redrive", "--reason", "permanent", "--edit", "--yes");
  expect(unchanged).toMatchObject({ code: 1 });
  expect(unchanged.stdout).toBe("0 items changed, 2 unchanged: they stay in the dead-letter queue.\n");
  world.environment.VISUAL = "false";
  const failed = await world.type("dlq", "redrive", "--reason", "permanent", "--edit", "--yes");
  expect(failed.stderr).toContain('the editor "false" ended with exit code 1: nothing was changed');
  expect(await statusOf(world)).toMatchObject({ dead: 10, pending: 1 });
});

test("messages that Sluice did not send are sent back like any other", async () => {
  using world = new CliWorld(died);
  await sendForeign(world, [{ body: "not ours" }]);
  const [id = ""] = await idsOf(world, "--reason", "malformed-message");
  const { code, stdout } = await world.type("dlq", "redrive", id.slice(0, 8), "--yes");
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: "1 dead letter of mortal on this machine was sent back. 11 stay in the dead-letter queue.\n",
  });
});

test("an interrupted redrive says what was sent, and every dead letter is in exactly one place", async () => {
  using world = new CliWorld(died);
  const redrive = world.begin("dlq", "redrive", "--reason", "exhausted", "--yes", "--rate", SLOW_RATE, "--json");
  await someArePending(world);
  redrive.process.kill("SIGINT");
  const { code, json } = await redrive.ended;
  expect(code).toBe(130);
  expect(json).toMatchObject([{ type: "redriven", stoppedBy: "interruption" }]);
  const moved = Number(json[0]?.moved);
  expect(moved).toBeGreaterThan(0);
  expect(moved).toBeLessThan(8);
  expect(await statusOf(world)).toMatchObject({ dead: 11 - moved, pending: moved });
  // What it held is back at once.
  expect(await deadByReason(world)).toEqual({ exhausted: 8 - moved, permanent: 2, "invalid item": 1 });
});

test("the next redrive continues one that was killed, and no item is counted twice", async () => {
  using world = new CliWorld(died);
  const redrive = world.begin("dlq", "redrive", "--reason", "exhausted", "--yes", "--rate", SLOW_RATE);
  await someArePending(world);
  await world.kill(redrive);
  const rest = await world.type("dlq", "redrive", "--reason", "exhausted", "--yes");
  expect(rest.code).toBe(0);
  expect(await deadByReason(world)).toEqual({ permanent: 2, "invalid item": 1 });
  expect(await statusOf(world)).toMatchObject({ dead: 3, pending: 8 });
  fix(world);
  expect(lastOf(await world.type("resume", "--json"))).toMatchObject({ succeeded: 13, dead: 3 });
});
