import cliTruncate from "cli-truncate";
import wrapAnsi from "wrap-ansi";
import { jsonText } from "../../../shared/base/exact-json.ts";
import type { Failure } from "../../../shared/base/failure.ts";
import type { DeadLetter } from "../../../shared/dead-letters/read-dead-letter.ts";
import type { Counts, RunRecord } from "../../../shared/ledger/run-record.ts";
import { columns } from "../columns.ts";
import { firstLines } from "../first-lines.ts";
import { count, plural, seconds, style, table } from "../format.ts";
import { oneLine, printable } from "../printable.ts";
import { ago, errorText } from "./dead-letter-text.ts";
import { waitSection } from "./wait-section.ts";

/** A dead letter's run, as the ledger knows it. */
export interface DeadLetterRun {
  readonly run: RunRecord;
  readonly counts: Counts;
}

/** How many lines of a long part, and how many attempts, a terminal shows unless the user asks for all. */
const SHORT = { error: 8, item: 8, stack: 6, attempts: 5 } as const;

/** What stands before and after a line of a stack at least. */
const STACK_INDENT = 4;

export interface DetailsLayout {
  readonly width: number;
  /** Whether long parts are cut, and say so. Default: false. */
  readonly isShort?: boolean;
}

/** Everything about one dead letter, for people: what it is, why it died, its item, its attempts and their stacks. */
export function deadLetterDetails(
  deadLetter: DeadLetter,
  place: string,
  run: DeadLetterRun | undefined,
  layout: DetailsLayout,
): string {
  const { width, isShort = false } = layout;
  const error = wrapped(printable(errorLines(deadLetter)), width);
  return [
    headline(deadLetter),
    facts(deadLetter, place, run),
    section("Error", style("red", error), isShort ? SHORT.error : undefined),
    itemSection(deadLetter, layout),
    ...historySections(deadLetter, layout),
    ...waitSection(deadLetter, width),
    ...attributesSection(deadLetter),
  ].join("\n\n");
}

const headline = ({ id, reason }: DeadLetter): string =>
  `${style("bold", `Dead letter ${id}`)}  ${style("yellow", reason)}`;

/** What must be visible of a dead letter, as two lines: which one it is, and why it died. */
export const deadLetterHeadline = (deadLetter: DeadLetter, width: number): string =>
  `${headline(deadLetter)}\n${style("red", cliTruncate(errorText(deadLetter.error), width))}`;

const section = (title: string, text: string, most?: number): string =>
  `${style("bold", title)}\n${firstLines(indented(text), most)}`;

const indented = (text: string): string =>
  text
    .split("\n")
    .map((line) => (line === "" ? "" : `  ${line}`))
    .join("\n");

/** Breaks lines that are too long. The rest of a broken line is indented further. */
function wrapped(text: string, width: number): string {
  return text
    .split("\n")
    .map((line) => {
      const indent = /^ */.exec(line)?.[0] ?? "";
      const [first = "", ...rest] = wrapAnsi(line.trimStart(), Math.max(20, width - indent.length - 4), {
        hard: true,
      }).split("\n");
      return [indent + first, ...rest.map((more) => `${indent}  ${more}`)].join("\n");
    })
    .join("\n");
}

const errorLines = ({ error }: DeadLetter): string => `${error.name}: ${error.message}`;

function facts(deadLetter: DeadLetter, place: string, run: DeadLetterRun | undefined): string {
  const { kind, partition, page, index, diedAt, sentAt, expiresAt, receiveCount, redrives, failures, movedFrom } =
    deadLetter;
  const moment = (iso: string) => `${oneLine(iso)} (${ago(iso)})`;
  const attempts = failures.length === 0 ? "" : `, after ${plural(failures.length, "attempt")}`;
  return table(
    [
      ["workflow", place],
      ...(deadLetter.run === null ? [] : [["run", runText(oneLine(deadLetter.run), run)]]),
      ...(page === null
        ? []
        : [["item", `${partition === undefined ? "" : `partition ${partition}, `}page ${page}, index ${index}`]]),
      ["died", `${moment(diedAt)}${attempts}`],
      ["sent", moment(sentAt)],
      ...(expiresAt === null ? [] : [["deleted at", `${expiresAt}, when SQS's retention period is over`]]),
      ["received", `${plural(receiveCount, "time")}, in all queues`],
      ["redriven", redrives === 0 ? "never" : plural(redrives, "time")],
      ["kind", KINDS[kind]],
      ...(movedFrom === null ? [] : [["moved by SQS", `from ${oneLine(movedFrom)}`]]),
      ["group", deadLetter.fingerprint.id],
    ],
    "  ",
    2,
  )
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

const KINDS: Readonly<Record<DeadLetter["kind"], string>> = {
  "dead letter": "dead letter with its history",
  raw: "the original message: SQS moved it here, because no consumer recorded an outcome",
  newer: "a message of a newer version of Sluice: this version does not change it",
  foreign: "a message that Sluice did not send",
};

function runText(id: string, run: DeadLetterRun | undefined): string {
  if (run === undefined) return `${id}, which is not in the ledger`;
  const { succeeded, dead, pending } = run.counts;
  const left = pending > 0 ? `, ${count(pending)} pending` : "";
  return `${id}, ${run.run.status}: ${count(succeeded)} succeeded, ${count(dead)} dead${left}`;
}

function itemSection({ kind, item, truncated, body }: DeadLetter, { width, isShort }: DetailsLayout): string {
  const most = isShort ? SHORT.item : undefined;
  if (kind === "foreign" || kind === "newer") {
    return section(
      `Body (${plural(Buffer.byteLength(body), "byte")})`,
      typeof item === "string" ? wrapped(printable(body), width) : printable(pretty(item)),
      most,
    );
  }
  const title = truncated ? "Item (only the start: the whole was too large, or not JSON)" : "Item";
  return section(
    title,
    truncated && typeof item === "string" ? wrapped(printable(item), width) : printable(pretty(item)),
    most,
  );
}

const pretty = (value: unknown): string => jsonText(value, 2) ?? "";

function historySections({ failures, kind, waits }: DeadLetter, layout: DetailsLayout): readonly string[] {
  const { width, isShort } = layout;
  if (kind === "foreign" || kind === "newer") return [];
  if (failures.length === 0) return [section("Attempts", waits === undefined ? "none was recorded" : "none failed")];
  const first = isShort ? Math.max(0, failures.length - SHORT.attempts) : 0;
  const attempts = columns(
    [
      { header: "ATTEMPT", align: "right" },
      { header: "BEGAN" },
      { header: "TOOK", align: "right" },
      { header: "ENDED" },
      { header: "ERROR", grow: 1, lines: 3 },
    ],
    failures
      .slice(first)
      .map((failure, position) => [
        String(failure.attempt),
        oneLine(failure.at),
        durationText(failure.durationMilliseconds),
        failure.kind,
        position > 0 && isSame(failure, failures[first + position - 1]) ? "the same" : errorText(failure),
      ]),
    { width, indent: "  ", heading: (text) => style("dim", text) },
  );
  const earlier = first === 0 ? "" : `\n  ${style("dim", `… ${plural(first, "earlier attempt")}`)}`;
  return [`${style("bold", "Attempts")}${earlier}\n${attempts}`, ...stackSections(failures, layout)];
}

const isSame = (failure: Failure, before: Failure | undefined): boolean =>
  failure.name === before?.name && failure.message === before.message;

const durationText = (milliseconds: number): string =>
  milliseconds < 1_000 ? `${Math.round(milliseconds)} ms` : seconds(milliseconds / 1_000);

/** Each stack once, the latest first. Most attempts fail at the same place. */
function stackSections(failures: readonly Failure[], { width, isShort }: DetailsLayout): readonly string[] {
  const attemptsByStack = new Map<string, number[]>();
  for (const { stack, attempt } of failures.toReversed()) {
    if (stack === undefined) continue;
    const shown = isShort ? withoutMessage(stack, width) : stack;
    attemptsByStack.set(shown, [...(attemptsByStack.get(shown) ?? []), attempt]);
  }
  return [...attemptsByStack].map(([stack, attempts]) =>
    section(
      `Stack of ${attempts.length === 1 ? "attempt" : "attempts"} ${attempts.toReversed().join(", ")}`,
      wrapped(printable(stack), width),
      isShort ? SHORT.stack : undefined,
    ),
  );
}

/** A stack with one line of its message, because the message stands above the stack already. */
function withoutMessage(stack: string, width: number): string {
  const [message = "", ...lines] = stack.split("\n");
  const frame = lines.findIndex((line) => /^\s+at /.test(line));
  const first = cliTruncate(oneLine(message), Math.max(1, width - STACK_INDENT));
  return [first, ...(frame === -1 ? [] : lines.slice(frame))].join("\n");
}

function attributesSection({ attributes }: DeadLetter): readonly string[] {
  const rows = Object.entries(attributes).map(([name, { dataType, stringValue, binaryValue }]) => [
    oneLine(name),
    oneLine(dataType),
    oneLine(stringValue ?? binaryValue ?? ""),
  ]);
  return rows.length === 0 ? [] : [section("Message attributes", table(rows, "", 3))];
}
