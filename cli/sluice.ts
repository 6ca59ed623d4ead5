import { readFileSync } from "node:fs";
import { Command, CommanderError, Help } from "commander";
import { cancelCommand } from "./commands/cancel.ts";
import { dlqCommand } from "./commands/dlq/dlq.ts";
import { pauseCommand } from "./commands/pause.ts";
import { resumeCommand } from "./commands/resume.ts";
import { runCommand } from "./commands/run.ts";
import { startCommand } from "./commands/start.ts";
import { statusCommand } from "./commands/status.ts";

// This file and those of `commands/` load only what --help needs. A command loads the rest once it runs, so that --help
// and --version answer at once.

// The manifest is found by the package's name, because the compiled file lies in another directory.
const manifest = new URL(import.meta.resolve("sluice/package.json"));
const { version } = JSON.parse(readFileSync(manifest, "utf8"));

const program = new Command("sluice")
  .description("Runs a task for each item of a paged source, on AWS Lambda or on this machine.")
  .version(version)
  // A flag that is off by default needs no "(default: false)".
  .configureHelp({
    optionDescription: (option) =>
      option.defaultValue === false ? option.description : new Help().optionDescription(option),
  })
  .showHelpAfterError("(see: npx sluice --help)")
  .addCommand(runCommand)
  .addCommand(startCommand)
  .addCommand(resumeCommand)
  .addCommand(statusCommand)
  .addCommand(pauseCommand)
  .addCommand(cancelCommand)
  .addCommand(dlqCommand)
  .addHelpText(
    "after",
    `
Examples:
  $ npx sluice run cities          run a workflow of workflows/ on this machine
  $ npx sluice resume              continue after Ctrl-C, a crash, a pause or a failed source
  $ npx sluice status              list the runs with their counts
  $ npx sluice cancel cities       drop the items that have not started, and end the run
  $ npx sluice dlq                 show why items died, in groups
  $ npx sluice start cities --stack
                                   start a run of a deployed workflow
  $ npx sluice status --stack      list the runs of the deployed stack`,
  )
  .hook("preSubcommand", async (_, subcommand) => {
    if (subcommand !== dlqCommand) return;
    await import("./commands/dlq/subcommands.ts");
    throwErrors(dlqCommand);
  });

throwErrors(program);

// The reader of the output may close it early, as `head` does. The command then finishes its work without an error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode;
  else {
    const { reportError } = await import("./screens/error.ts");
    process.exitCode = reportError(error);
  }
}

/** Makes a command and its subcommands throw their errors, so that they are reported here. */
function throwErrors(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) throwErrors(child.copyInheritedSettings(command));
}
