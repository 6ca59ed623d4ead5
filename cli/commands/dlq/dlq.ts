import { Command } from "commander";
import { ConfigurationError } from "../../../shared/base/errors.ts";
import { collectEarly } from "../../dlq/garbage-collection.ts";
import { exportCommand } from "./export.ts";
import { importCommand } from "./import.ts";
import { listCommand } from "./list.ts";
import { purgeCommand } from "./purge.ts";
import { redriveCommand } from "./redrive.ts";
import { showCommand } from "./show.ts";

export const dlqCommand = new Command("dlq")
  .summary("look at dead letters, and work them off")
  .description(
    "Dead letters are items that failed for good, and messages that are none of ours. Without a command, it lists them " +
      "in groups (`dlq list`).",
  )
  // Else the default command would be told that it has too many arguments.
  .hook("preSubcommand", ({ args: [word = ""], commands }) => {
    if (word === "" || word.startsWith("-") || word === "help") return;
    const names = commands.map((command) => command.name());
    if (names.includes(word)) return;
    throw new ConfigurationError(
      `dlq has no command "${word}": there are ${names.join(", ")}. ` +
        `A dead letter is shown by npx sluice dlq show ${word}, and filters are options, such as --reason exhausted`,
    );
  })
  .hook("preAction", () => collectEarly())
  .addCommand(listCommand, { isDefault: true })
  .addCommand(showCommand)
  .addCommand(redriveCommand)
  .addCommand(exportCommand)
  .addCommand(importCommand)
  .addCommand(purgeCommand)
  .addHelpText(
    "after",
    `
Examples:
  $ npx sluice dlq                              why items died, in groups
  $ npx sluice dlq show 8c1f02ab                one dead letter and its history
  $ npx sluice dlq redrive --reason exhausted   send them back, after a dry run
  $ npx sluice dlq redrive 8c1f02ab --edit      mend an item first
  $ npx sluice dlq purge --since 2h             delete them, after a backup
  $ npx sluice dlq --stack sluice-cities        the dead letters of a deployed stack`,
  );
