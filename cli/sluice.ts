import { createRequire } from "node:module";
import { Command, CommanderError, Help } from "commander";
import { addCommands, breakHelp } from "./commands/commands.ts";

// This file loads only what --help needs, so that --help and --version answer at once. The files of `commands/` load only
// what their own help needs. A command loads the rest once it runs.

// The manifest is found by the package's name, because the compiled file lies in another directory.
const { version }: { readonly version: string } = createRequire(import.meta.url)("sluice/package.json");

const program = new Command("sluice")
  .description("Runs a task for each item of a paged source, on AWS Lambda or on this machine.")
  .version(version)
  // A flag that is off by default needs no "(default: false)".
  .configureHelp({
    optionDescription: (option) =>
      option.defaultValue === false ? option.description : new Help().optionDescription(option),
  })
  .addHelpText(
    "after",
    `
Examples:
  $ npx sluice try cities          run the first 5 items of a workflow, and keep nothing
  $ npx sluice dev cities          run it while you write it: it reloads on save
  $ npx sluice run cities          run a workflow of workflows/ on this machine
  $ npx sluice resume              continue after Ctrl-C, a crash, a pause or a failed source
  $ npx sluice status              list the runs with their counts
  $ npx sluice cancel cities       drop the items that have not started, and end the run
  $ npx sluice dlq                 show why items died, in groups
  $ npx sluice start cities --stack
                                   start a run of a deployed workflow
  $ npx sluice status --stack      list the runs of the deployed stack`,
  );
await addCommands(program, process.argv.slice(2));
prepare(program);

// The reader of the output may close it early, as `head` does. The command then finishes its work without an error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

// An error that nobody awaits, such as that of a full disk in the middle of a run, is reported like any other. Only the
// first one is reported: others follow from it.
let isEnding = false;
for (const event of ["uncaughtException", "unhandledRejection"] as const) {
  process.on(event, (error) => {
    if (isEnding) return;
    isEnding = true;
    void endWith(error);
  });
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode;
  else {
    const { reportError } = await import("./screens/error.ts");
    process.exitCode = await reportError(error);
  }
}

async function endWith(error: unknown): Promise<void> {
  const { reportFatalError } = await import("./screens/error.ts");
  process.exit(await reportFatalError(error));
}

/** Makes a command and its subcommands throw their errors, so that they are reported here, and name their own help. */
function prepare(command: Command, typed = "npx sluice"): void {
  command.exitOverride().showHelpAfterError(`(see: ${typed} --help)`);
  const { isTTY, columns } = process.stdout;
  // Commander breaks the lines of options and not those of the text that follows them.
  if (isTTY && columns > 0) {
    command.configureOutput({ writeOut: (text) => void process.stdout.write(breakHelp(text, columns)) });
  }
  for (const child of command.commands) prepare(child.copyInheritedSettings(command), `${typed} ${child.name()}`);
}
