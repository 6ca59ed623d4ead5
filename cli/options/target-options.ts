import type { Command } from "commander";

/** The options that say where a command looks: this machine, or a deployed stack. */
export interface TargetOptions {
  readonly stack?: string | true;
  readonly region?: string;
  readonly profile?: string;
}

/** Adds them to a command. */
export function withTargetOptions(command: Command): Command {
  return command
    .option(
      "--stack [name]",
      "a deployed stack; unnamed, the one that holds the workflow, or the only one (default: this machine)",
    )
    .option("--region <region>", "of the stack (default: as the AWS SDK finds it)")
    .option("--profile <profile>", "AWS credentials (default: as the AWS SDK finds them)");
}
