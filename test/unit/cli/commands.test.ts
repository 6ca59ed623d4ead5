import { Command, Help } from "commander";
import { describe, expect, test } from "vitest";
import { addCommands, breakHelp, COMMANDS } from "../../../cli/commands/commands.ts";

const names = COMMANDS.map(({ name }) => name);

async function programFor(...words: readonly string[]): Promise<Command> {
  const program = new Command("sluice");
  await addCommands(program, words);
  return program;
}

describe("the list of commands in the help", () => {
  test("is the same whether or not the commands are loaded", async () => {
    const help = (await programFor()).helpInformation();
    expect(help).toMatch(/^ {2}run \[options\] <workflow> +run a workflow on this machine$/m);
    expect((await programFor(...names)).helpInformation()).toBe(help);
  });

  test.each(names)("has the name and the arguments of %s", async (name) => {
    const [loaded, listed] = [await programFor(name), await programFor()].map((program) =>
      program.commands.find((command) => command.name() === name),
    );
    if (loaded === undefined || listed === undefined) throw new Error(`${name} is missing`);
    expect(new Help().subcommandTerm(listed)).toBe(new Help().subcommandTerm(loaded));
    expect(loaded.description()).not.toBe("");
    expect(listed.description()).toBe("");
  });
});

test("sluice help dlq lists the subcommands, as sluice dlq --help does", async () => {
  const dlq = (await programFor("help", "dlq")).commands.find((command) => command.name() === "dlq");
  const subcommands = dlq?.commands.map((command) => command.name());
  expect(subcommands).toEqual(["list", "show", "redrive", "export", "import", "purge"]);
});

/** A command and all commands below it, with what the user types for each. */
const withSubcommands = (command: Command, typed: string): readonly (readonly [string, Command])[] => [
  [typed, command],
  ...command.commands.flatMap((child) => withSubcommands(child, `${typed} ${child.name()}`)),
];

test("on a terminal of 80 columns, no line of any help is broken in the middle of a word", async () => {
  const program = await programFor(...names);
  const tooLong = withSubcommands(program, "sluice").flatMap(([typed, command]) => {
    const printed: string[] = [];
    command.configureOutput({ getOutHelpWidth: () => 80, writeOut: (text) => void printed.push(text) });
    command.outputHelp();
    const help = printed.join("");
    const broken = breakHelp(help, 80);
    expect(broken.split(/\s+/)).toEqual(help.split(/\s+/));
    const isCommand = /^ +\$ \S+( \S+)*$/;
    return broken
      .split("\n")
      .flatMap((line) => (line.length > 80 && !isCommand.test(line) ? [`${typed}: ${line}`] : []));
  });
  expect(tooLong).toEqual([]);
});

test("a long line of a help continues below the column of its text", () => {
  const help = "  2    only some could be read: another\n  $ npx sluice dlq import - --stack sluice-cities\nshort";
  expect(breakHelp(help, 30)).toBe(
    "  2    only some could be\n       read: another\n  $ npx sluice dlq import - --stack sluice-cities\nshort",
  );
});
