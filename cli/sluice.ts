import { readFileSync } from "node:fs";
import { Command, CommanderError, Help } from "commander";
import { SluiceError, toError } from "../shared/base/errors.ts";
import { cancelCommand } from "./commands/cancel.ts";
import { dlqCommand } from "./commands/dlq/dlq.ts";
import { pauseCommand } from "./commands/pause.ts";
import { resumeCommand } from "./commands/resume.ts";
import { runCommand } from "./commands/run.ts";
import { startCommand } from "./commands/start.ts";
import { statusCommand } from "./commands/status.ts";
import { EXIT } from "./exit-code.ts";
import { writeJson } from "./screens/display.ts";
import { style } from "./screens/format.ts";
import { remark } from "./screens/paragraph.ts";

// By the package's own name: this file is in another depth of it once it is compiled.
const manifest = new URL(import.meta.resolve("sluice/package.json"));
const { version } = JSON.parse(readFileSync(manifest, "utf8"));

const program = new Command("sluice")
  .description("Fans any paged source out to tasks, and says exactly when it is done.")
  .version(version)
  // What is off unless it is asked for needs no word.
  .configureHelp({
    optionDescription: (option) =>
      option.defaultValue === false ? option.description : new Help().optionDescription(option),
  })
  .showHelpAfterError("(--help shows what there is)")
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
  $ npx sluice resume              go on after Ctrl-C, a crash, a pause or a failed source
  $ npx sluice status              the runs and their counts
  $ npx sluice cancel cities       drop what is queued, and end the run
  $ npx sluice dlq                 why items died, in groups
  $ npx sluice start cities --stack
                                   start a run of a deployed workflow
  $ npx sluice status --stack      the runs of the deployed stack`,
  );

// Each command's own errors too are thrown, so that they end here.
inherit(program);

// Whoever reads may have had enough, as `head` has: what is written then is for nobody, and is no failure of the work.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode;
  else {
    report(error);
    // What is asked for may be among what could not be looked at.
    const isHeld = error instanceof SluiceError && error.code === "LETTERS_HELD";
    process.exitCode = isHeld ? EXIT.partly : EXIT.failed;
  }
}

function inherit(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) inherit(child.copyInheritedSettings(command));
}

function report(thrown: unknown): void {
  const error = toError(thrown);
  const known = error instanceof SluiceError;
  if (process.argv.includes("--json")) {
    writeJson({ type: "error", code: known ? error.code : "UNEXPECTED", message: error.message });
    return;
  }
  // An error of ours says what to do; any other needs its stack to be understood.
  const head = style("red", "error", process.stderr);
  if (known) remark(`${head} ${error.message}`);
  else console.error(`${head} ${error.stack ?? error.message}`);
}
