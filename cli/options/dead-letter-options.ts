import { type Command, InvalidArgumentError } from "commander";
import { REASONS, type Reason } from "../../shared/base/failure.ts";
import { type Since, since } from "./since.ts";
import { type TargetOptions, withTargetOptions } from "./target-options.ts";
import { type Where, where } from "./where.ts";

/** The options of every `dlq` command: where it looks for dead letters. */
export interface DlqOptions extends TargetOptions {
  readonly workflow?: string;
  readonly json: boolean;
}

/** The filters: which dead letters a command selects. */
export interface DeadLetterOptions extends DlqOptions {
  readonly reason?: readonly Reason[];
  readonly error?: readonly string[];
  readonly run?: readonly string[];
  readonly since?: Since;
  readonly text?: readonly string[];
  readonly where?: Where;
}

/**
 * Adds the options of every `dlq` command.
 *
 * @param json The help of `--json`: what the command prints then.
 */
export function withDlqOptions(command: Command, json: string): Command {
  return withTargetOptions(
    command.option(
      "--workflow <name>",
      "the workflow whose dead letters to use (needed if several workflows have dead letters)",
    ),
  ).option("--json", json, false);
}

/** Adds the filters to a command. */
export function withDeadLetterOptions(command: Command): Command {
  return command
    .option("--reason <reason>", `filter by reason: ${REASONS.join(", ")}; can be repeated`, reason)
    .option("--error <text>", "filter by a group's id from `dlq list`, or by a part of the error; can be repeated", all)
    .option("--run <id>", "filter by run: an id, or the start of one; can be repeated", all)
    .option("--since <time>", "filter by time of death: since 30m, 2h or 3d ago, or since an ISO time", (text) => ({
      text,
      at: since(text),
    }))
    .option("--text <text>", "filter by a part of the error, the item or the id; can be repeated", all)
    .option("--where <jmespath>", "filter by a JMESPath expression over the fields of `dlq show --json`", where);
}

/** Help about the filters, for the end of a command's help. */
export const DEAD_LETTER_HELP = `
Filters of different kinds must all match. If a filter is repeated, one of its values must match:
  --reason exhausted --reason permanent   one of these reasons
  --error 3fa9c1d2                        one group of the list
  --error ECONNREFUSED --since 2h         this error, in the last two hours
  --text bern                             this text in the error, the item or the id
  --where "item.country == 'FR'"          a field of the item
  --where 'length(failures) > \`3\`'        numbers are written in backticks`;

const all = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

function reason(text: string, before: readonly Reason[] = []): readonly Reason[] {
  // "invalid item" needs quotes in a shell. People forget them, so "invalid-item" is accepted too.
  const found = REASONS.find((each) => each === text.replaceAll("-", " "));
  if (found === undefined) throw new InvalidArgumentError(`It must be one of: ${REASONS.join(", ")}.`);
  return [...before, found];
}
