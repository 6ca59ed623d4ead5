import { beforeAll, expect, test } from "vitest";
import { CliWorld, withoutProgress } from "../../../helpers/cli.ts";
import { idsOf, mortalWorld, sendForeign } from "../../../helpers/mortal-world.ts";

let died: Awaited<ReturnType<typeof mortalWorld>>;
beforeAll(async () => {
  died = await mortalWorld();
});

test("dlq shows why items died, in groups, with an example of each and what to type next", async () => {
  using world = new CliWorld(died);
  const { code, stdout, stderr } = await world.type("dlq");
  expect({ code, stderr: withoutProgress(stderr) }).toEqual({ code: 0, stderr: "" });
  const [heading, , header, ...rows] = stdout.split("\n");
  expect(heading).toBe("mortal on this machine: 11 dead letters");
  expect(header?.split(/ {2,}/)).toEqual(["COUNT", "REASON", "ERROR", "FIRST SEEN", "LAST SEEN", "EXAMPLE", "GROUP"]);
  const time = String.raw`(?:\S.*ago|just now)`;
  const group = String.raw` +${time} +${time} +([0-9a-f]{8}) (\{.*\}) +([0-9a-f]{8})$`;
  // Its control characters are seen, and not obeyed.
  expect(rows[0]).toMatch(
    new RegExp(
      String.raw`^ +8  exhausted +Error: connect ECONNREFUSED 10\.0\.0\.\d+:5432\\u001b\]0;owned\\u0007 while writing item \d+${group}`,
    ),
  );
  expect(rows[1]).toMatch(new RegExp(`^ +2  permanent +PermanentError: no such country: "XK" of item 20[12]${group}`));
  expect(rows[2]).toMatch(
    new RegExp(`^ +1  invalid item +InvalidItemError: the item fails the workflow's schema: country: .*${group}`),
  );
  const [, id, , error] = new RegExp(group).exec(rows[0] ?? "") ?? [];
  expect(
    rows
      .slice(4)
      .join("\n")
      .split(/ {2,}|\n/)
      .filter((word) => word.startsWith("npx")),
  ).toEqual([
    `npx sluice dlq show ${id}`,
    `npx sluice dlq redrive --error ${error}`,
    `npx sluice dlq purge --error ${error}`,
  ]);
  // Looking has taken nothing, and changed nothing. Ages grow, and with them their column, so lines may break elsewhere.
  const ageless = (screen: string) => screen.replaceAll(/just now|\d+ (s|min) ago/g, "").replaceAll(/\s+/g, " ");
  const again = await world.type("dlq");
  expect(ageless(again.stdout)).toBe(ageless(stdout));
});

test("dlq show takes the id of a group, and the commands that change something say what such an id is good for", async () => {
  using world = new CliWorld(died);
  const { json } = await world.type("dlq", "--json", "--reason", "permanent");
  const { key, count, example } = json[0] as { key: string; count: number; example: { id: string } };
  const shown = await world.type("dlq", "show", key);
  expect(shown.code).toBe(0);
  expect(shown.stdout).toMatch(
    `${key} is the id of a group. This is the dead letter of the group whose item died last:`,
  );
  expect(shown.stdout).toContain(`Dead letter ${example.id}  permanent`);
  const redrive = await world.type("dlq", "redrive", key, "--yes");
  expect(redrive.code).toBe(1);
  expect(redrive.stderr).toContain(
    `but of a group: ${count} dead letters have this error. Select the group with: --error ${key}`,
  );
});

test("dlq groups by other fields, and reads the dead letters that match every filter", async () => {
  using world = new CliWorld(died);
  const groups = async (...words: readonly string[]) => {
    const { json } = await world.type("dlq", "list", "--json", ...words);
    return json.filter(({ type }) => type === "group").map(({ name, count }) => [name, count]);
  };
  expect(await groups("--by", "reason")).toEqual([
    ["exhausted", 8],
    ["permanent", 2],
    ["invalid item", 1],
  ]);
  expect(await groups("--by", "run")).toEqual([[expect.stringMatching(/^\d{8}-\d{6}-[0-9a-f]{4}$/), 11]]);
  const where = "item.country == 'DE' && item.id > `106` && length(failures) == `2`";
  expect(await groups("--by", "reason", "--where", where)).toEqual([["exhausted", 2]]);

  const { json } = await world.type("dlq", "--json", "--reason", "permanent", "--limit", "1");
  expect(json).toMatchObject([
    {
      type: "group",
      workflow: "mortal",
      by: "error",
      key: expect.stringMatching(/^[0-9a-f]{8}$/),
      count: 2,
      reasons: { permanent: 2 },
      example: { item: expect.stringMatching(/^\{"id":20[12],"country":"XK"\}$/) },
    },
    { type: "totals", workflow: "mortal", deadLetters: 11, meant: 2, groups: 1, heldElsewhere: 0, stoppedBy: null },
  ]);
  const byGroup = await world.type("dlq", "--error", String(json[0]?.key));
  expect(byGroup.stdout).toMatch(/^mortal on this machine: 2 of 11 dead letters\n/);

  const none = await world.type("dlq", "--run", "2020");
  expect(none).toMatchObject({
    code: 3,
    stdout: "mortal on this machine: none of 11 dead letters matches the filters\n",
  });
});

test("dlq list --by dead-letter lists each one, and show finds one by the start of its id", async () => {
  using world = new CliWorld(died);
  const listed = await world.type("dlq", "list", "--by", "dead-letter", "--limit", "3");
  expect(listed.stdout).toContain("8 more. Show all with: --limit 11");
  const [id = ""] = await idsOf(world, "--reason", "exhausted");
  const { code, stdout } = await world.type("dlq", "show", id.slice(0, 8));
  expect(code).toBe(0);
  expect(stdout).toContain(`Dead letter ${id}  exhausted\n`);
  expect(stdout).toMatch(/\n {2}run +\d{8}-\S+, completed: 5 succeeded, 11 dead\n/);
  expect(stdout).toMatch(/\n {2}died +\S+Z \((?:.* ago|just now)\), after 2 attempts\n/);
  expect(stdout).toMatch(/\nItem\n {2}\{\n {4}"id": 10\d,\n {4}"country": "DE"\n {2}\}\n/);
  expect(stdout).toMatch(/\n +1 {2}2\d{3}-\S+Z +(?:\d+ ms|\d\.\d s) {2}threw {2}Error: connect .*\n +2 {2}2\d{3}-/);
  expect(stdout).toMatch(/\nStack of attempts 1, 2\n {2}Error: connect .*\n {2} +while writing item \d+\n {2} +at /);
  expect(stdout).toContain(`npx sluice dlq redrive ${id.slice(0, 8)} --edit`);
  expect(stdout.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);

  const whole = await world.type("dlq", "show", id, "--json");
  expect(whole.json).toMatchObject([
    { type: "deadLetter", id, kind: "dead letter", failures: [{ attempt: 1 }, { attempt: 2 }] },
  ]);

  const unknown = await world.type("dlq", "show", "zzz");
  expect(unknown).toMatchObject({ code: 1, stdout: "" });
  expect(unknown.stderr).toContain('none of the 11 dead letters has an id that begins with "zzz"');
});

test("messages that Sluice did not send are listed and shown as they are", async () => {
  using world = new CliWorld(died);
  await sendForeign(world, [
    { body: "plain \u009b2J text" },
    { body: '{"Records":[{"s3":"bucket"}]}', attributes: { Sender: { DataType: "String", StringValue: "s3" } } },
  ]);
  const shown: string[] = [];
  for (const id of await idsOf(world, "--reason", "malformed-message")) {
    shown.push((await world.type("dlq", "show", id)).stdout);
  }
  expect(shown).toHaveLength(2);
  // The queue has no order.
  const [json = "", plain = ""] = shown.toSorted((text) => (text.includes("Records") ? -1 : 1));
  expect(plain).toContain("kind        a message that Sluice did not send");
  expect(plain).toContain("\nBody (15 bytes)\n  plain \\u009b2J text\n");
  expect(json).toContain('\n  {\n    "Records": [\n');
  expect(json).toContain("\nMessage attributes\n  Sender  String  s3\n");
});

test("an empty queue, an unknown workflow and an unknown command are reported", async () => {
  using nothing = new CliWorld();
  const nobody = await nothing.type("dlq");
  expect(nobody).toMatchObject({ code: 1, stdout: "" });
  expect(nobody.stderr).toContain("no workflow has been run here");

  using world = new CliWorld(died);
  const purged = await world.type("dlq", "purge", "--yes", "--no-backup");
  expect(purged).toMatchObject({ code: 0, stdout: "11 dead letters of mortal on this machine were deleted.\n" });
  for (const words of [["dlq"], ["dlq", "list", "--reason", "exhausted"]]) {
    expect(await world.type(...words)).toMatchObject({
      code: 0,
      stdout: "mortal on this machine: no dead letters\n",
    });
  }
  const empty = await world.type("dlq", "redrive", "--yes");
  expect(empty).toMatchObject({ code: 0, stdout: "", stderr: "mortal on this machine: no dead letters\n" });

  const other = await world.type("dlq", "--workflow", "other");
  expect(other.stderr).toMatch(/--workflow: there is no workflow "other" here\. There are: .*mortal\.ts/);
  const word = await world.type("dlq", "8c1f02ab");
  expect(word).toMatchObject({ code: 1 });
  expect(word.stderr).toContain("To show one dead letter: npx sluice dlq show 8c1f02ab");
});

test("an invalid filter is refused before anything is read, and the error says how to write it", async () => {
  using world = new CliWorld();
  const { code, stdout, stderr } = await world.type("dlq", "--where", "item.id > 3");
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toContain("A number is written in backticks: 'item.id > `3`'.");
});
