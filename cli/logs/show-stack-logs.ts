import { setTimeout } from "node:timers/promises";
import { hasEnded, type RunRecord } from "../../shared/ledger/run-record.ts";
import type { LogsOptions } from "../commands/logs.ts";
import { awsService } from "../targets/aws-service.ts";
import { targets, withRun } from "../targets/find-run.ts";
import { type RunTarget, stackFlag, type Target } from "../targets/target.ts";
import { merged } from "./merged.ts";
import { LogPrinter } from "./printer.ts";
import { StackLog } from "./stack-log.ts";

/**
 * How often new lines are looked for. AWS allows at least five requests a second of an account.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
 */
const POLL_MILLISECONDS = 2_000;

/** The lines of a run arrive up to this long after its end, and those of its start can have slightly earlier times. */
const MARGIN_MILLISECONDS = 60_000;

/**
 * Prints the log of a run of a deployed stack.
 *
 * @returns How many lines it printed.
 * @throws {ConfigurationError} There is no such run, workflow or stack.
 * @throws {SluiceError} `AWS_UNREACHABLE`: CloudWatch Logs refused the request.
 */
export async function showStackLogs(
  wanted: string | undefined,
  options: LogsOptions,
  interrupted: AbortSignal,
): Promise<number> {
  const since = Date.now();
  if (wanted === undefined && options.follow) {
    const groups: LogGroups[] = [];
    for await (const { logGroups } of targets(options)) if (logGroups !== undefined) groups.push(logGroups);
    const range = { run: undefined, since, until: undefined };
    return await print(groups, range, { options, interrupted, hasEnded: () => false });
  }
  const ofAny = () => true;
  const printRun = async (target: RunTarget) => {
    const { run, logGroups, services } = target;
    const printed = await print(logGroups === undefined ? [] : [logGroups], rangeOf(run, options), {
      options,
      interrupted,
      hasEnded: async () => hasEnded(await services.runs.get(run.id)),
    });
    if (options.follow && !options.json && !interrupted.aborted) await sayThatItEnded(target);
    return printed;
  };
  return await withRun(wanted, options, printRun, { accepts: ofAny });
}

/** A run, and when its lines were written. */
interface Range {
  readonly run: RunRecord | undefined;
  readonly since: number;
  readonly until: number | undefined;
}

function rangeOf(run: RunRecord, { item }: LogsOptions): Range {
  const since = Date.parse(run.requestedAt) - MARGIN_MILLISECONDS;
  const end = run.completedAt === undefined ? undefined : Date.parse(run.completedAt) + MARGIN_MILLISECONDS;
  // Items that were redriven are attempted after the run has ended.
  return { run, since, until: item !== undefined || run.redriven ? undefined : end };
}

type LogGroups = NonNullable<Target["logGroups"]>;

interface Printing {
  readonly options: LogsOptions;
  readonly interrupted: AbortSignal;
  /** Whether no more lines are expected. */
  hasEnded(): boolean | Promise<boolean>;
}

async function print(
  groups: readonly LogGroups[],
  { run, since, until }: Range,
  { options, interrupted, hasEnded }: Printing,
): Promise<number> {
  const { item, error, follow, json } = options;
  const send = await awsService({ id: "CloudWatch Logs", name: "logs" }, options);
  const filter = { run: run?.id, item, onlyErrors: error };
  const printer = new LogPrinter(filter, { json });
  const logs = groups.flatMap((names) =>
    (["producer", "consumer"] as const).map((name) => new StackLog(send, names[name], name, { since, filter })),
  );
  for (let isOver = !follow; !interrupted.aborted; ) {
    // The run is asked first: lines that it wrote before its end are then read.
    isOver ||= await hasEnded();
    for await (const lines of merged(logs.map((log) => log.read(until, interrupted)))) printer.print(lines);
    if (isOver) break;
    await setTimeout(POLL_MILLISECONDS, undefined, { signal: interrupted }).catch(() => {});
  }
  printer.end();
  return printer.printed;
}

async function sayThatItEnded(target: RunTarget): Promise<void> {
  const { remark } = await import("../screens/paragraph.ts");
  const { id } = target.run;
  remark(`Run ${id} has ended. Its last lines can arrive a minute later: npx sluice logs ${id}${stackFlag(target)}`);
}
