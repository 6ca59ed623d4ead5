import { setTimeout } from "node:timers/promises";
import { SluiceError, toError } from "../../shared/base/errors.ts";
import { hasEnded, type RunRecord } from "../../shared/ledger/run-record.ts";
import type { LogsOptions } from "../commands/logs.ts";
import { awsService, type SendRequest } from "../targets/aws-service.ts";
import { targets, withRun } from "../targets/find-run.ts";
import { stackFlag, type Target } from "../targets/target.ts";
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
  const send = await sender(options);
  if (wanted === undefined && options.follow) {
    for await (const target of targets(options)) {
      const since = Date.now();
      return await print(target, { run: undefined, since, until: undefined }, { send, options, interrupted });
    }
  }
  const ofAny = () => true;
  return await withRun(
    wanted,
    options,
    async (target) => await print(target, rangeOf(target.run, options), { send, options, interrupted }),
    { accepts: ofAny },
  );
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

interface Printing {
  readonly send: SendRequest;
  readonly options: LogsOptions;
  readonly interrupted: AbortSignal;
}

async function print(target: Target, range: Range, { send, options, interrupted }: Printing): Promise<number> {
  const { item, error, follow, json } = options;
  const { run, since, until } = range;
  const filter = { run: run?.id, item, onlyErrors: error };
  const printer = new LogPrinter(filter, { json });
  const logs = (["producer", "consumer"] as const).map(
    (name) => new StackLog(send, target.logGroups?.[name] ?? "", name, { since, filter }),
  );
  const readAll = async () => {
    for await (const lines of merged(logs.map((log) => log.read(until, interrupted)))) printer.print(lines);
  };
  await readAll();
  for (let isOver = run !== undefined && hasEnded(run); follow && !isOver && !interrupted.aborted; ) {
    await setTimeout(POLL_MILLISECONDS, undefined, { signal: interrupted }).catch(() => {});
    isOver = run !== undefined && hasEnded(await target.services.runs.get(run.id));
    if (!interrupted.aborted) await readAll();
  }
  if (follow && run !== undefined && !interrupted.aborted && !json) {
    const { remark } = await import("../screens/paragraph.ts");
    remark(
      `Run ${run.id} has ended. Its last lines can arrive a minute later: npx sluice logs ${run.id}${stackFlag(target)}`,
    );
  }
  return printer.printed;
}

async function sender(options: LogsOptions): Promise<SendRequest> {
  const send = await awsService({ id: "CloudWatch Logs", name: "logs" }, options);
  return async (headers, body, signal) => {
    try {
      return await send(headers, body, signal);
    } catch (cause) {
      if (signal?.aborted === true) throw cause;
      const { name, message } = toError(cause);
      throw new SluiceError(
        "AWS_UNREACHABLE",
        `the log cannot be read from CloudWatch Logs: ${name}: ${message}. The command needs the right logs:FilterLogEvents ` +
          "on the log groups of the stack. Check the credentials (--profile) and the region (--region)",
        { cause },
      );
    }
  };
}
