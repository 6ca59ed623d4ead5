import { parseXML } from "@aws-sdk/xml-builder";
import type { RunRecord } from "../../shared/ledger/run-record.ts";
import type { DurationPoint, DurationsView } from "../../ui/server/api.ts";
import type { SendRequest } from "../targets/aws-service.ts";
import { at, membersOf, textOf } from "../targets/xml.ts";

const QUANTILES = ["p50", "p95", "p99"] as const;
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** A chart needs no more points. */
const MOST_POINTS = 1_440;
/**
 * CloudWatch keeps periods of one minute for 15 days, and of five minutes for 63 days.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
 */
const MINUTES_BY_AGE = [
  { days: 63, minutes: 60 },
  { days: 15, minutes: 5 },
] as const;

/** The workflow of a stack whose functions record the metric `TaskDuration`: see `functions/cloudwatch-metrics.ts`. */
export interface MetricOwner {
  readonly workflow: string;
  readonly stack: string;
}

/**
 * Reads the quantiles of the durations from CloudWatch, for the time in which a run worked. The functions record each duration,
 * so the quantiles are exact. They are of all runs of the workflow, and appear about two minutes late. It is one request, for
 * three metrics: USD 0.00003 (https://aws.amazon.com/cloudwatch/pricing/).
 *
 * @throws {Error} CloudWatch refused the request.
 */
export async function stackDurations(
  send: SendRequest,
  { workflow, stack }: MetricOwner,
  { requestedAt, completedAt, redriven }: Pick<RunRecord, "requestedAt" | "completedAt" | "redriven">,
  now: number,
): Promise<DurationsView> {
  const from = Math.floor(Date.parse(requestedAt) / MINUTE) * MINUTE;
  const until = completedAt === undefined || redriven ? now : Date.parse(completedAt) + MINUTE;
  const periodSeconds = 60 * minutesOf(now - from, until - from);
  const queries = QUANTILES.map((quantile, index) => queryOf(index + 1, quantile, { workflow, stack }, periodSeconds));
  const text = await send(
    { "content-type": "application/x-www-form-urlencoded" },
    new URLSearchParams({
      Action: "GetMetricData",
      Version: "2010-08-01",
      StartTime: new Date(from).toISOString(),
      EndTime: new Date(until).toISOString(),
      ScanBy: "TimestampAscending",
      ...Object.assign({}, ...queries),
    }).toString(),
  );
  const result = at(at(parseXML(text), "GetMetricDataResponse"), "GetMetricDataResult");
  const points = new Map<number, { -readonly [key in keyof DurationPoint]: DurationPoint[key] }>();
  for (const series of membersOf(at(result, "MetricDataResults"))) {
    const quantile = QUANTILES.find((each) => each === textOf(at(series, "Id")));
    if (quantile === undefined) continue;
    const values = membersOf(at(series, "Values"));
    for (const [index, timestamp] of membersOf(at(series, "Timestamps")).entries()) {
      const time = Date.parse(String(timestamp));
      const point = points.get(time) ?? { at: time, p50: null, p95: null, p99: null };
      point[quantile] = Number(values[index]);
      points.set(time, point);
    }
  }
  return { periodSeconds, points: [...points.values()].sort((a, b) => a.at - b.at), problem: null };
}

function minutesOf(age: number, span: number): number {
  const least = MINUTES_BY_AGE.find(({ days }) => age > days * DAY)?.minutes ?? 1;
  return least * Math.ceil(span / MINUTE / MOST_POINTS / least || 1);
}

function queryOf(
  number: number,
  quantile: string,
  { workflow, stack }: MetricOwner,
  periodSeconds: number,
): Record<string, string> {
  const query = `MetricDataQueries.member.${number}`;
  const metric = `${query}.MetricStat.Metric`;
  const dimensions = { service: workflow, workflow, stack };
  return {
    [`${query}.Id`]: quantile,
    [`${metric}.Namespace`]: "Sluice",
    [`${metric}.MetricName`]: "TaskDuration",
    ...Object.fromEntries(
      Object.entries(dimensions).flatMap(([name, value], index) => [
        [`${metric}.Dimensions.member.${index + 1}.Name`, name],
        [`${metric}.Dimensions.member.${index + 1}.Value`, value],
      ]),
    ),
    [`${query}.MetricStat.Period`]: String(periodSeconds),
    [`${query}.MetricStat.Stat`]: quantile,
  };
}
