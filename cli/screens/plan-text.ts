import { PRICES } from "../../shared/aws/prices.ts";
import type { Bound, PlannedDelivery } from "../plan/estimate.ts";
import type { Plan } from "../plan/plan-workflow.ts";
import type { Basis, SourceFacts } from "../plan/source-facts.ts";
import { count, plural, seconds, style, table, warningLine } from "./format.ts";
import { paragraph } from "./paragraph.ts";

const BASES: Readonly<Record<Basis, string>> = {
  known: "known",
  estimated: "estimated by the source",
  given: "given with --items",
  limited: "the workflow's limit: the source may have fewer",
  assumed: "assumed, because the source does not say: --items gives the number",
};

const BOUNDS: Readonly<Record<Bound, (plan: Plan) => string>> = {
  concurrency: ({ concurrency, taskSeconds }) => `${count(concurrency)} tasks of ${taskSeconds} s at once`,
  "rate limit": ({ perSecond = 0 }) => `the rate limit: ${+perSecond.toFixed(3)} starts a second`,
  source: ({ source }) =>
    `the source, if each page takes as long as the first one from here: ${+source.page.seconds.toFixed(3)} s`,
  producer: () => "the producer, which sends about 5,000 messages a second",
};

/** A plan for people. */
export function planText(plan: Plan): string {
  const { workflow, source, bound, keepsResults, ordered, random } = plan;
  const facts: readonly (readonly [string, string])[] = [
    ["items", `${count(source.items)}, ${BASES[source.basis]}`],
    ["partitions", partitionsText(source)],
    ["time", `about ${seconds(plan.seconds)}: ${BOUNDS[bound](plan)}`],
    ["attempts", attemptsText(plan)],
  ];
  const row = (name: string, value: (delivery: PlannedDelivery) => string) => [name, value(ordered), value(random)];
  const requests = [
    ["", "in order", "at random"],
    row("SQS", (each) => count(each.requests.sqs)),
    row("DynamoDB", (each) => count(each.requests.dynamoDb)),
    row("Lambda", (each) => count(each.requests.lambda)),
    ...(keepsResults ? [row("S3, for the results", (each) => count(each.requests.s3))] : []),
    row("list prices", (each) => dollarText(each.dollars.sum)),
  ];
  return [
    paragraph(`${style("bold", workflow)} · page 1 of the source: ${plural(source.page.items, "item")}`),
    ...source.warnings.map((warning) => paragraph(warningLine(warning))),
    ...facts.map(([name, value]) => paragraph(`  ${name.padEnd(11)} ${value}`)),
    "",
    "  requests, by the order in which SQS delivers the messages",
    table(requests, "    "),
    "",
    paragraph(
      `  The prices are those of ${PRICES.region} in ${PRICES.asOf}, without the free tier. What the source and the tasks request, and what the tasks log, is not ` +
        "in them. Nothing was written.",
    ),
  ].join("\n");
}

function attemptsText({ failures }: Plan): string {
  if (failures === 0) return "each succeeds at once: --failures plans with attempts that fail";
  return `${+(100 * failures).toFixed(1)} % of them fail, and are tried again as the workflow says`;
}

function partitionsText({ partitions }: SourceFacts): string {
  if (partitions === undefined) return "none: the source is read as one part";
  return count(partitions);
}

/** "$0.31", "$1,234", "$0.0042". */
export function dollarText(dollars: number): string {
  if (dollars >= 100) return `$${count(dollars)}`;
  if (dollars >= 0.01 || dollars === 0) return `$${dollars.toFixed(2)}`;
  return `$${dollars.toPrecision(2)}`;
}
