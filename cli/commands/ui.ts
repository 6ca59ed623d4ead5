import { Command, InvalidArgumentError } from "commander";
import { type TargetOptions, withTargetOptions } from "../options/target-options.ts";

export interface UiOptions extends TargetOptions {
  readonly port?: number;
  readonly open: boolean;
  readonly write: boolean;
  readonly json: boolean;
}

export const uiCommand = withTargetOptions(new Command("ui"))
  .description(
    "Shows the runs, their failures and their limits in the browser. The server answers on 127.0.0.1 only, and the URL that " +
      "it prints contains an access token. Do not share the URL: it allows everything that you can do in the dashboard.",
  )
  .option("--port <n>", "the port of the server (default: that of the last time, or any free one)", portNumber)
  .option("--no-open", "do not open the browser")
  .option("--write", "with --stack: allow changes. Each one is written to .sluice/.dashboard/audit.jsonl", false)
  .option("--json", "print one JSON object with the URL", false)
  .addHelpText(
    "after",
    `
Examples:
  $ npx sluice ui
  $ npx sluice ui --port 4000 --no-open
  $ npx sluice ui --stack sluice-cities
  $ npx sluice ui --stack sluice-cities --write`,
  )
  .action(async (options: UiOptions) => {
    const { serveDashboard } = await import("../ui/serve-dashboard.ts");
    await serveDashboard(options);
  });

function portNumber(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new InvalidArgumentError("It must be a whole number from 1 to 65535.");
}
