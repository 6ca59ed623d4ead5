import { ConfigurationError } from "../../../shared/base/errors.ts";
import { collectGarbageEarly } from "../../dlq/garbage-collection.ts";
import { dlqCommand } from "./dlq.ts";
import { exportCommand } from "./export.ts";
import { importCommand } from "./import.ts";
import { listCommand } from "./list.ts";
import { purgeCommand } from "./purge.ts";
import { redriveCommand } from "./redrive.ts";
import { showCommand } from "./show.ts";

// The other commands do not need the subcommands of `dlq`, so this module is loaded only once the user types `dlq`.
dlqCommand
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
