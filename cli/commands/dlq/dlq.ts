import { Command } from "commander";
import { ConfigurationError } from "../../../shared/base/errors.ts";
import { collectGarbageEarly } from "../../dlq/garbage-collection.ts";

export const dlqCommand = new Command("dlq")
  .summary("list dead letters, and redrive, export or delete them")
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
  );

/**
 * Adds the subcommands of `dlq`, unless they are there already. The other commands do not need them, so they are loaded only
 * once the user types `dlq`.
 */
export async function addDlqSubcommands(): Promise<void> {
  if (dlqCommand.commands.length > 0) return;
  const [{ listCommand }, { showCommand }, { redriveCommand }, { exportCommand }, { importCommand }, { purgeCommand }] =
    await Promise.all([
      import("./list.ts"),
      import("./show.ts"),
      import("./redrive.ts"),
      import("./export.ts"),
      import("./import.ts"),
      import("./purge.ts"),
    ]);
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
}
