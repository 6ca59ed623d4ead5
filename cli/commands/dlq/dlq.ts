import { Command } from "commander";

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
