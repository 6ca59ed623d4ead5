import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { COMMANDS } from "../../../cli/commands/commands.ts";
import { matches } from "../../../cli/dlq/filter.ts";
import type { DeadLetterOptions } from "../../../cli/options/dead-letter-options.ts";
import type { DeadLetter } from "../../../shared/dead-letters/read-dead-letter.ts";
import {
  type Choice,
  exportCommand,
  listCommand,
  purgeCommand,
  redriveCommand,
  showCommand,
} from "../../../ui/page/failures/dlq-commands.ts";
import {
  limitCommand,
  logCommand,
  resultsCommand,
  runCommand,
  startCommand,
} from "../../../ui/page/runs/run-commands.ts";
import type { Selection } from "../../../ui/server/api.ts";
import { LoadedDeadLetters } from "../../../ui/server/loaded-dead-letters.ts";
import { someDeadLetter } from "../../helpers/some-dead-letter.ts";
import { temporaryDirectory } from "../../helpers/test-engine.ts";

/** What a user's shell and the command line make of a command that the page shows. */
async function typed(text: string) {
  const shell = ["-c", `set -- ${text}; printf '%s\\0' "$@"`];
  const [npx, sluice, name, ...words] = execFileSync("sh", shell, { encoding: "utf8" }).split("\0").slice(0, -1);
  expect([npx, sluice]).toEqual(["npx", "sluice"]);
  let command = (await COMMANDS.find((each) => each.name === name)?.load()) as Command;
  if (name === "dlq") {
    const subcommand = words.shift();
    command = command.commands.find((each) => each.name() === subcommand) as Command;
  }
  command
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .action(() => {});
  command.parse(words, { from: "user" });
  return { args: command.args, options: command.opts<Record<string, unknown>>() };
}

const RUN = "20261128-100000-abcd";
const idOf = (number: number) => someDeadLetter(number).id;
const flags = " --stack sluice-cities --region eu-west-1";
const choice = (selection: Selection, more: Partial<Choice> = {}): Choice => ({
  workflow: "cities",
  selection,
  flags,
  ...more,
});

test.each([
  [listCommand({ workflow: "cities", flags }), [], { workflow: "cities" }],
  [showCommand(idOf(7), { workflow: "cities", flags }), ["00000007"], { workflow: "cities" }],
  [
    redriveCommand(choice({}, { ratePerSecond: 0.5, edits: { set: [' country="it\'s" ', "tags[0]=5"] } })),
    [],
    {
      rate: 0.5,
      set: [
        { path: "country", value: "it's" },
        { path: "tags[0]", value: 5 },
      ],
      dryRun: false,
    },
  ],
  [redriveCommand(choice({ ids: [idOf(1), idOf(2)] }), { dryRun: true }), ["00000001", "00000002"], { dryRun: true }],
  [redriveCommand(choice({ ids: [idOf(1)] }, { edits: { items: { [idOf(1)]: "{}" } } })), ["00000001"], { edit: true }],
  [
    // The command line's --edit would leave the second one where it is.
    redriveCommand(choice({ ids: [idOf(1), idOf(2)] }, { edits: { items: { [idOf(1)]: "{}" } } })),
    ["00000001", "00000002"],
    { edit: false, transform: "./changes.ts" },
  ],
  [
    redriveCommand(choice({ ids: [idOf(1)] }, { edits: { items: { [idOf(1)]: "{}" }, set: ["a=1"] } })),
    ["00000001"],
    { edit: false, transform: "./changes.ts" },
  ],
  [purgeCommand(choice({ ids: [idOf(1)] })), ["00000001"], { backup: true, yes: false }],
  [exportCommand(choice({})), ["dead-letters.jsonl"], { csv: false }],
  [startCommand("cities", { isStack: true, items: 5, flags }), ["cities"], { items: 5 }],
  [runCommand("pause", RUN, flags), [RUN], {}],
  [runCommand("resume", RUN, flags), [RUN], {}],
  [runCommand("cancel", RUN, flags), [RUN], { yes: false }],
  [
    logCommand({ run: RUN, item: `${RUN}/p3/0/1`, onlyErrors: true }, flags),
    [RUN],
    { item: `${RUN}/p3/0/1`, error: true },
  ],
  [logCommand({ run: RUN, onlyErrors: false }, flags), [RUN], { error: false }],
  [resultsCommand(RUN, flags), [RUN], { failed: false, json: false }],
  [resultsCommand(RUN, flags, "csv"), [RUN], { format: "csv", output: "results.csv" }],
  [limitCommand("cities", 2, flags), ["cities"], { rate: 2 }],
])("the command line understands: %s", async (text, args, options) => {
  const { args: understood, options: given } = await typed(text);
  expect(understood).toEqual(args);
  expect(given).toMatchObject({ ...options, stack: "sluice-cities", region: "eu-west-1" });
});

test("on this machine, a start is a run in the command", async () => {
  const { args, options } = await typed(startCommand("./my flow.ts", { isStack: false, items: undefined, flags: "" }));
  expect(args).toEqual(["./my flow.ts"]);
  expect(options).not.toHaveProperty("stack");
});

const deadLetter = (number: number, changes: Partial<DeadLetter>): DeadLetter =>
  someDeadLetter(number, {
    run: RUN,
    error: { name: "Error", message: `no route to host-${number}` },
    fingerprint: { id: number % 2 === 0 ? "0e4f2a11" : "7c9d01b2", text: "Error: no route to <host>" },
    ...changes,
  });

const DEAD_LETTERS = [
  deadLetter(0, { item: { name: 'it\'s "Bern"', note: `${"x".repeat(400)} FAR BEHIND` } }),
  deadLetter(1, { item: { name: "Bern", id: 12_345_678_901_234_567n } }),
  deadLetter(2, { reason: "invalid item", error: { name: "Error", message: "two\n  lines, --text" } }),
  deadLetter(3, { run: "20261129-100000-abcd" }),
  deadLetter(4, { item: "bern, as text" }),
];

test.each<[string, Selection, readonly number[]]>([
  ["all", {}, [0, 1, 2, 3, 4]],
  ["a cause", { filter: { groups: ["0e4f2a11"] } }, [0, 2, 4]],
  ["causes", { filter: { groups: ["0e4f2a11", "7c9d01b2"] } }, [0, 1, 2, 3, 4]],
  ["a reason of two words", { filter: { reason: "invalid item" } }, [2]],
  ["a run", { filter: { run: RUN } }, [0, 1, 2, 4]],
  ["a text of items", { filter: { text: "bern" } }, [0, 1, 4]],
  ["a text with quotes", { filter: { text: "it's" } }, [0]],
  ["a text like an option", { filter: { text: "--text" } }, [2]],
  ["a text on one line", { filter: { text: "two lines" } }, [2]],
  ["the end of a long item", { filter: { text: "far behind" } }, [0]],
  ["a bigint", { filter: { text: "12345678901234567" } }, [1]],
  ["an id", { filter: { text: "00000003-" } }, [3]],
  ["a text of one cause", { filter: { text: "bern", groups: ["7c9d01b2"] } }, [1]],
  ["ids", { ids: [idOf(1), idOf(4)] }, [1, 4]],
])("the page and its commands select the same: %s", async (_, selection, expected) => {
  using directory = temporaryDirectory();
  const loaded = new LoadedDeadLetters(join(directory.path, "loaded.jsonl"));
  for (const each of DEAD_LETTERS) loaded.add(each);
  const ids = expected.map(idOf);
  expect([...loaded.idsOf(selection)]).toEqual(ids);
  loaded.close();
  for (const text of [redriveCommand(choice(selection)), purgeCommand(choice(selection))]) {
    const { args, options } = await typed(text);
    expect(selected(args, options as never)).toEqual(ids);
  }
  const { options } = await typed(exportCommand(choice(selection)));
  expect(selected([], options as never)).toEqual(ids);
});

const selected = (prefixes: readonly string[], options: DeadLetterOptions): readonly string[] =>
  DEAD_LETTERS.filter(
    (each) =>
      matches(each, options) && (prefixes.length === 0 || prefixes.some((prefix) => each.id.startsWith(prefix))),
  ).map(({ id }) => id);
