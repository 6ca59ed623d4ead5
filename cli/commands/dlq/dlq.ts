import { Command } from "commander";
import { ConfigurationError } from "../../../shared/base/errors.ts";
import { collectGarbageEarly } from "../../dlq/garbage-collection.ts";
import { exportCommand } from "./export.ts";
import { importCommand } from "./import.ts";
import { listCommand } from "./list.ts";
import { purgeCommand } from "./purge.ts";
import { redriveCommand } from "./redrive.ts";
import { showCommand } from "./show.ts";

export const dlqCommand = new Command("dlq")
  .description(
    "Works on dead letters: items that failed permanently, and messages that Sluice did not send. Without a subcommand, it " +
      "lists dead letters in groups (`dlq list`).",
  )
  .addHelpText(
    "after",
    `
Examples:
  $ npx sluice dlq                              show why items died, in groups
  $ npx sluice dlq show 8c1f02ab                show one dead letter with its attempts
  $ npx sluice dlq redrive --reason exhausted   send dead letters back, after a dry run
  $ npx sluice dlq redrive 8c1f02ab --edit      fix an item, then send it back
  $ npx sluice dlq purge --since 2h             delete dead letters, after a backup
  $ npx sluice dlq --stack sluice-cities        show the dead letters of a deployed stack`,
  )
  // Without this check, commander would pass an unknown subcommand to the default one, which takes no arguments.
  .hook("preSubcommand", ({ args: [word = ""], commands }) => {
    if (word === "" || word.startsWith("-") || word === "help") return;
    const names = commands.map((command) => command.name());
    if (names.includes(word)) return;
    throw new ConfigurationError(
      `dlq has no subcommand "${word}". It has: ${names.join(", ")}. To show one dead letter: npx sluice dlq show ` +
        `${word}. To filter the list, use options such as --reason exhausted`,
    );
  })
  .hook("preAction", () => collectGarbageEarly())
  .addCommand(listCommand, { isDefault: true })
  .addCommand(showCommand)
  .addCommand(redriveCommand)
  .addCommand(exportCommand)
  .addCommand(importCommand)
  .addCommand(purgeCommand);
