import type { Command } from "commander";

/** The options that say what a command acts on: this machine, or a deployed stack. */
export interface TargetOptions {
  readonly stack?: string | true;
  readonly region?: string;
  readonly profile?: string;
}

/** Adds `--stack`, `--region` and `--profile` to a command. */
export function withTargetOptions(command: Command): Command {
  return command
    .option(
      "--stack [name]",
      "act on a deployed stack; without a name: the stack that holds the workflow, or the only stack (default: this machine)",
    )
    .option("--region <region>", "AWS region of the stack (default: the AWS SDK's)")
    .option("--profile <profile>", "AWS profile with the credentials (default: the AWS SDK's)");
}
