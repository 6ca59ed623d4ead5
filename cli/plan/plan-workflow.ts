import { PRICES } from "../../shared/aws/prices.ts";
import { SourceError } from "../../shared/base/errors.ts";
import { topology } from "../../shared/definition/topology.ts";
import type { Workflow } from "../../shared/definition/workflow.ts";
import { SourceWait } from "../../shared/sources/source-wait.ts";
import { EXIT } from "../exit-code.ts";
import { timeOf } from "../screens/format.ts";
import { planText } from "../screens/plan-text.ts";
import { writeJson } from "../screens/write-json.ts";
import { type Estimate, estimate } from "./estimate.ts";
import { type SourceFacts, sourceFacts } from "./source-facts.ts";

export interface PlanSettings {
  readonly json: boolean;
  /** How long a task takes, on average. */
  readonly taskSeconds: number;
  /** By which share of the average a task is shorter or longer, at most. */
  readonly spread: number;
  /** The share of the attempts that fail. Default: none. */
  readonly failures?: number | undefined;
  /** The number of items, instead of what the source says. */
  readonly items?: number | undefined;
}

/** A plan of a run. `--json` prints it. */
export interface Plan extends Estimate {
  readonly workflow: string;
  readonly source: SourceFacts;
  readonly taskSeconds: number;
  readonly spread: number;
  readonly failures: number;
  readonly concurrency: number;
  /** The rate limit of the workflow, in attempts per second. */
  readonly perSecond: number | undefined;
  readonly keepsResults: boolean;
}

/**
 * Plans a run of a workflow, and prints the plan. It writes nothing into queues or the ledger.
 *
 * @returns The exit code.
 * @throws {SourceError} The source cannot be read, or asks to wait.
 */
export async function planWorkflow(workflow: Workflow, settings: PlanSettings): Promise<number> {
  const plan = await planOf(workflow, settings);
  const { asOf, region } = PRICES;
  if (settings.json) writeJson({ type: "plan", ...plan, prices: { asOf, region } });
  else console.log(planText(plan));
  return EXIT.succeeded;
}

/**
 * Computes a plan of a run of a workflow.
 *
 * @param now Measures how long the first page takes, in milliseconds. Default: the clock of this machine.
 */
export async function planOf(
  workflow: Workflow,
  { taskSeconds, spread, failures = 0, items: given }: Omit<PlanSettings, "json">,
  now?: () => number,
): Promise<Plan> {
  const source = await sourceFacts(workflow, { given, ...(now !== undefined && { now }) }).catch(explainWait);
  const { rateLimit, results, concurrency } = workflow;
  const perSecond = rateLimit?.perSecond;
  const keepsResults = results !== undefined;
  const estimated = estimate({
    // A run with a limit of items has one lane, which reads the partitions in their order.
    topology: topology(workflow.limit === undefined ? workflow : { ...workflow, producers: 1 }),
    items: source.items,
    itemsPerSourcePage: Math.max(1, source.page.items),
    itemBytes: source.page.bytesPerItem,
    pageMilliseconds: source.page.seconds * 1_000,
    partitions: source.partitions,
    taskMilliseconds: taskSeconds * 1_000,
    spread,
    failures,
    retry: workflow.retry,
    perSecond,
    keepsResults,
  });
  return {
    workflow: workflow.name,
    source,
    taskSeconds,
    spread,
    failures,
    concurrency,
    perSecond,
    keepsResults,
    ...estimated,
  };
}

function explainWait(error: unknown): never {
  if (!(error instanceof SourceWait)) throw error;
  const long = error.until === undefined ? "" : ` until ${timeOf(error.until)}`;
  throw new SourceError(`the service asked the source to wait${long}: ${error.message}. Try again later`, {
    cause: error,
  });
}
