import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { CliWorld } from "../../helpers/cli.ts";

const LIBRARY = fileURLToPath(new URL("../../../shared/index.ts", import.meta.url));

/** A workflow whose tasks say which version they are of, and wait at the gate of `CliWorld`. */
const workflow = (schedule = "") => `
  import { existsSync } from "node:fs";
  import { join } from "node:path";
  import { setTimeout } from "node:timers/promises";
  import { defineWorkflow, items } from ${JSON.stringify(LIBRARY)};
  import { VERSION } from "./version";

  const marker = (name: string) => join(process.env.MARKERS ?? ".", name);

  export default defineWorkflow({
    name: "watched",
    source: items([1, 2, 3, 4]),
    async task(item, { logger, signal }) {
      logger.info(\`\${VERSION} begins \${item}\`, { greeting: process.env.GREETING });
      while (!existsSync(marker("open"))) await setTimeout(20, undefined, { signal });
      logger.info(\`\${VERSION} ends \${item}\`);
    },
    concurrency: 2,
    timeout: { minutes: 5 },
    ${schedule}
  });
`;

test("dev runs what is saved: a broken version changes nothing, a new one continues the run, and the schedule starts runs", async () => {
  using world = new CliWorld();
  // An editor that replaces a file writes another one, and renames it.
  const save = (name: string, text: string) => {
    writeFileSync(join(world.path, `${name}.new`), text);
    renameSync(join(world.path, `${name}.new`), join(world.path, name));
  };
  mkdirSync(join(world.path, "workflows"));
  writeFileSync(join(world.path, "package.json"), '{ "name": "project" }');
  world.environment.SET_BEFORE = "by the shell";
  save(".env", "GREETING=hello\nFAREWELL\nSET_BEFORE=by the file\n");
  save("workflows/version.ts", 'export const VERSION = "one";');
  save("workflows/watched.ts", workflow());

  const dev = world.begin("dev", "watched", "--run");
  await dev.printed(".env: line 2 sets no variable");
  await dev.printed("Read 1 variable from .env: GREETING. Set in the shell, so not changed: SET_BEFORE");
  await dev.printed("warning the code reads GREETING of .env, which the deployed functions will not have");
  await dev.printed("one begins");
  await dev.printed("greeting=hello");
  const refused = await world.begin("run", "watched").ended;
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("works in");

  save("workflows/version.ts", 'export const VERSION = "one;');
  await dev.printed("workflows/version.ts changed: loading the new version");
  await dev.printed("Unterminated string literal");
  await dev.printed("workflows/version.ts:1:");
  await dev.printed("The version before goes on");
  world.open();
  await dev.printed("4 items succeeded");
  world.close();

  save("workflows/version.ts", 'export const VERSION = "two";');
  await dev.printed("The new version runs.");
  save("workflows/watched.ts", workflow('schedule: "cron(* * * * ? *)", overlap: "skip",'));
  await dev.printed("The schedule starts a run");
  await dev.printed("two begins");

  // The attempts that wait at the gate do not end. They are handed back.
  save("workflows/version.ts", 'export const VERSION = "three";');
  save(".env", "GREETING=good day\n");
  await dev.printed(".env changed");
  await dev.printed("three begins");
  await dev.printed('greeting="good day"');
  world.open();
  await dev.printed("three ends 4");
  await world.until(async () => (await world.type("status", "watched", "--json")).json[0]?.status === "completed");
  dev.process.kill("SIGINT");
  const { code, stdout, stderr } = await dev.ended;
  expect(code).toBe(130);
  expect(stderr).toMatch(/Run scheduled-[\d-]+T[\d:]+Z continues/);
  expect(stdout).not.toContain("two ends");
  expect(stdout).not.toContain("_aws");

  const { json } = await world.type("status", "--json");
  const scheduled = json.find(({ run, status }) => String(run).startsWith("scheduled-") && status === "completed");
  expect(scheduled).toMatchObject({ produced: 4, succeeded: 4, dead: 0 });
});

test("dev waits for a file to be saved if the first version is broken, and ends with its processes when it is killed", async () => {
  using world = new CliWorld();
  mkdirSync(join(world.path, "workflows"));
  const file = join(world.path, "workflows/watched.ts");
  writeFileSync(file, `${workflow()}\nthrow new Error("not yet");`);
  writeFileSync(join(world.path, "workflows/version.ts"), 'export const VERSION = "one";');
  const dev = world.begin("dev", "watched", "--run", "--json");
  await dev.printed("not yet");
  writeFileSync(file, workflow());
  await dev.printed("one begins");
  await dev.printed('"started"');
  await world.kill(dev);
  // The engine ends with the command, so another command can use the state.
  world.open();
  await world.until(async () => (await world.type("run", "watched", "--fresh", "--json")).code === 0);
  const { json } = await dev.ended;
  expect(json.map(({ type }) => type)).toEqual(expect.arrayContaining(["error", "message", "started", "log"]));
});
