import { Command } from "commander";

export interface InitCommandOptions {
  readonly source?: string;
  readonly file?: string;
  readonly name?: string;
  readonly yes: boolean;
  readonly install?: boolean;
}

export const initCommand = new Command("init")
  .description(
    "Writes a workflow into a folder, with sample data, a test, a CDK app, tsconfig.json and npm scripts. It asks what the " +
      "options do not say. It never overwrites a file without asking.",
  )
  .argument("[folder]", "the folder of the project (default: this folder)")
  .option("--source <kind>", "where the items come from: csv, api or code")
  .option("--file <csv>", "your own CSV file, with --source csv")
  .option("--name <name>", "the name of the workflow (default: that of the file or of the source)")
  .option("--yes", "ask nothing, and keep files that exist", false)
  .option("--install", "install the packages afterwards")
  .option("--no-install", "do not install the packages, and do not ask")
  .addHelpText(
    "after",
    `
Examples:
  $ npx sluice init
  $ npx sluice init crm --source csv --file customers.csv --yes`,
  )
  .action(async (folder: string | undefined, options: InitCommandOptions) => {
    const { initHere } = await import("../init/init-here.ts");
    await initHere(folder, options);
  });
