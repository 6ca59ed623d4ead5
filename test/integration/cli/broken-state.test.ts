import { cpSync, existsSync, readdirSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { CliWorld, type Ended, workflowFile } from "../../helpers/cli.ts";
import { smallWorld } from "../../helpers/mortal-world.ts";

let ran: Awaited<ReturnType<typeof smallWorld>>;
beforeAll(async () => {
  ran = await smallWorld();
});

const stateOf = (world: CliWorld, ...path: readonly string[]) => join(world.path, ".sluice", "small", ...path);

const log = (world: CliWorld) => readdirSync(stateOf(world, "tables")).find((name) => name.endsWith(".log")) ?? "";

/** A command that failed with a message of Sluice, and not with a stack trace. */
function expectMessage({ code, stderr, stdout }: Ended, message: RegExp): void {
  expect(stderr).toMatch(message);
  expect(stderr).not.toContain("    at ");
  expect(stdout).not.toContain("    at ");
  expect(code).toBe(1);
}

describe("a damaged state directory", () => {
  const FILES: readonly (readonly [name: string, fileIn: (world: CliWorld) => string])[] = [
    ["state.json", (world) => stateOf(world, "state.json")],
    ["workflow.json", (world) => stateOf(world, "workflow.json")],
    ["queues.db", (world) => stateOf(world, "queues.db")],
    ["the log of the tables", (world) => stateOf(world, "tables", log(world))],
    ["the manifest of the tables", (world) => stateOf(world, "tables", "CURRENT")],
  ];
  const damage = (file: string) => writeFileSync(file, "not what was written, and of another length");

  test.each(FILES)("is named by its file, %s", async (_, fileIn) => {
    using world = new CliWorld(ran);
    const file = fileIn(world);
    damage(file);
    expectMessage(await world.type("status"), new RegExp(`${file} is damaged: .* --fresh`));
    const { json } = await world.type("status", "--json");
    expect(json).toMatchObject([{ type: "error", code: "STATE_DAMAGED" }]);
  });

  test("is replaced by --fresh, whatever is damaged", async () => {
    using world = new CliWorld(ran);
    for (const [, fileIn] of FILES) damage(fileIn(world));
    const fresh = await world.type("run", workflowFile("small"), "--fresh", "--json");
    expect(fresh.json.at(-1)).toMatchObject({ type: "summary", produced: 12 });
  });

  test("is named if a file was cut", async () => {
    using world = new CliWorld(ran);
    truncateSync(stateOf(world, "queues.db"), 8_192);
    expectMessage(await world.type("dlq"), /queues\.db is damaged: /);
  });

  test("is named if its lock is damaged, with another way out", async () => {
    using world = new CliWorld(ran);
    writeFileSync(stateOf(world, "engine.lock"), "x".repeat(5_000));
    expectMessage(await world.type("status"), /engine\.lock is damaged .*delete this file/);
    rmSync(stateOf(world, "engine.lock"));
    expect((await world.type("status")).code).toBe(0);
  });

  test("works if only the entry of an ended process is damaged", async () => {
    using world = new CliWorld(ran);
    writeFileSync(stateOf(world, "engine.json"), "{");
    expect((await world.type("status")).code).toBe(0);
  });

  test("that is a file is named", async () => {
    using world = new CliWorld();
    writeFileSync(join(world.path, ".sluice"), "");
    expectMessage(await world.type("status"), /\.sluice, .* cannot be used: ENOTDIR/);
    expectMessage(await world.type("run", workflowFile("small")), /\.sluice.* cannot be used: ENOTDIR/);
  });
});

describe("a workflow whose run was interrupted", () => {
  /** A run that was chosen, and whose command died before it could begin. */
  function interrupted(world: CliWorld, text: string): string {
    const file = join(world.path, "small.ts");
    writeFileSync(file, text);
    const origin = { workflow: "small", file, name: "./small.ts", run: "20260101-000000-0000" };
    writeFileSync(stateOf(world, "workflow.json"), JSON.stringify(origin));
    return file;
  }
  const SMALL = `export { default } from ${JSON.stringify(workflowFile("small"))};`;
  const RENAMED = `import small from ${JSON.stringify(workflowFile("small"))}; export default { ...small, name: "other" };`;

  test("and got another name is found by its old name, which the message gives", async () => {
    using world = new CliWorld(ran);
    interrupted(world, RENAMED);
    expectMessage(
      await world.type("resume", "small"),
      /small\.ts now defines the workflow "other", but the run belongs to the workflow "small".*Set the name back/,
    );
    expect(existsSync(join(world.path, ".sluice", "other"))).toBe(false);
  });

  test("and whose file was moved is found again once it was run from its new path", async () => {
    using world = new CliWorld(ran);
    const file = interrupted(world, SMALL);
    renameSync(file, join(world.path, "moved.ts"));
    expectMessage(await world.type("resume", "small"), /was run from .*small\.ts, which does not exist any more/);
    cpSync(join(world.path, "moved.ts"), file);
    expect((await world.type("resume", "small", "--json")).json.at(-1)).toMatchObject({ type: "summary" });
  });
});
