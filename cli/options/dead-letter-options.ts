import { type Command, InvalidArgumentError } from "commander";
import { REASONS, type Reason } from "../../shared/base/failure.ts";
import { type Since, since } from "./since.ts";
import { type TargetOptions, withTargetOptions } from "./target-options.ts";
import { type Where, where } from "./where.ts";

/** Where a command looks for dead letters. */
export interface DlqOptions extends TargetOptions {
  readonly workflow?: string;
  readonly json: boolean;
}

/** Which of them it means. */
export interface DeadLetterOptions extends DlqOptions {
  readonly reason?: readonly Reason[];
  readonly error?: readonly string[];
  readonly run?: readonly string[];
  readonly since?: Since;
  readonly where?: Where;
}

/** Adds what all commands on dead letters take. */
export function withDlqOptions(command: Command, json: string): Command {
  return withTargetOptions(
    command.option("--workflow <name>", "whose dead letters (needed where several workflows have some)"),
  ).option("--json", json, false);
}

/** Adds what says which dead letters are meant. */
export function withDeadLetterOptions(command: Command): Command {
  return command
    .option("--reason <reason>", `${REASONS.join(", ")}; may be given more than once`, reason)
    .option(
      "--error <text>",
      "a group's id as `dlq` lists it, or a part of the error; may be given more than once",
      all,
    )
    .option("--run <id>", "of a run, or of those whose id begins so; may be given more than once", all)
    .option("--since <time>", "died since: 30m, 2h, 3d (ago), or an ISO time", (text) => ({ text, at: since(text) }))
    .option(
      "--where <jmespath>",
      "of which a JMESPath expression is true, asked of what `dlq show --json` shows",
      where,
    );
}

/** The help of what says which dead letters are meant. */
export const DEAD_LETTER_HELP = `
A dead letter is meant if it fits every kind of filter that is given:
  --reason exhausted --reason permanent   either of them
  --error 3fa9c1d2                        one group of the list
  --error ECONNREFUSED --since 2h         such an error, in the last two hours
  --where "item.country == 'FR'"          of such an item
  --where 'length(failures) > \`3\`'        numbers stand in backticks`;

const all = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

function reason(text: string, before: readonly Reason[] = []): readonly Reason[] {
  // "invalid item" needs quotes in a shell, which are easily forgotten.
  const found = REASONS.find((each) => each === text.replaceAll("-", " "));
  if (found === undefined) throw new InvalidArgumentError(`It must be one of: ${REASONS.join(", ")}.`);
  return [...before, found];
}
