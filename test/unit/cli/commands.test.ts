import { Command, Help } from "commander";
import { describe, expect, test } from "vitest";
import { addCommands, COMMANDS } from "../../../cli/commands/commands.ts";

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
