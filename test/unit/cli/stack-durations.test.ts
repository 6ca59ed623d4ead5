import { expect, test } from "vitest";
import { stackDurations } from "../../../cli/ui/stack-durations.ts";

const DAY = 86_400_000;
const owner = { workflow: "cities", stack: "sluice-cities" };
const requestedAt = "2026-11-28T10:00:30.000Z";
const begin = Date.parse("2026-11-28T10:00:00.000Z");
const run = { requestedAt, redriven: false };

const series = (id: string, values: readonly number[]) => `
  <member><Id>${id}</Id><Label>TaskDuration</Label><StatusCode>Complete</StatusCode>
    <Timestamps>${values.map((_, minute) => `<member>${new Date(begin + minute * 60_000).toISOString()}</member>`).join("")}</Timestamps>
    <Values>${values.map((value) => `<member>${value}</member>`).join("")}</Values>
  </member>`;
const answer = (...members: readonly string[]) =>
  `<GetMetricDataResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"><GetMetricDataResult>
  <MetricDataResults>${members.join("")}</MetricDataResults></GetMetricDataResult></GetMetricDataResponse>`;

/** Sends nothing: keeps what would be sent. */
function fake(text: string) {
  const sent: URLSearchParams[] = [];
  const send = async (_: object, body: string) => {
    sent.push(new URLSearchParams(body));
    return text;
  };
  return { sent, send };
}

test("the quantiles of a run's minutes come with one request", async () => {
  const { sent, send } = fake(answer(series("p50", [10, 20]), series("p95", [40.5, 80]), series("p99", [90])));
  const view = await stackDurations(send, owner, run, begin + 120_000);
  expect(view).toEqual({
    periodSeconds: 60,
    points: [
      { at: begin, p50: 10, p95: 40.5, p99: 90 },
      { at: begin + 60_000, p50: 20, p95: 80, p99: null },
    ],
    problem: null,
  });
  expect(sent.map((each) => each.get("Action"))).toEqual(["GetMetricData"]);
  expect(Object.fromEntries(sent[0] ?? [])).toMatchObject({
    StartTime: "2026-11-28T10:00:00.000Z",
    EndTime: "2026-11-28T10:02:00.000Z",
    "MetricDataQueries.member.2.Id": "p95",
    "MetricDataQueries.member.2.MetricStat.Stat": "p95",
    "MetricDataQueries.member.2.MetricStat.Metric.MetricName": "TaskDuration",
    "MetricDataQueries.member.2.MetricStat.Metric.Dimensions.member.3.Name": "stack",
    "MetricDataQueries.member.2.MetricStat.Metric.Dimensions.member.3.Value": "sluice-cities",
  });
});

test("a workflow without recorded durations has no points", async () => {
  const { send } = fake(answer(series("p50", [])));
  expect(await stackDurations(send, owner, run, begin + 60_000)).toMatchObject({ points: [], problem: null });
});

test.each([
  ["24 h", DAY, 0, 60],
  ["25 h", DAY + 3_600_000, 0, 120],
  ["a week", 7 * DAY, 0, 420],
  ["an hour, 16 days ago", 3_600_000, 16 * DAY, 300],
  ["an hour, 64 days ago", 3_600_000, 64 * DAY, 3_600],
])("a run of %s has points of a period that CloudWatch has kept, and at most 1,440", async (_, span, ago, seconds) => {
  const { sent, send } = fake(answer());
  const completedAt = new Date(begin + span - 60_000).toISOString();
  const { periodSeconds } = await stackDurations(send, owner, { ...run, completedAt }, begin + span + ago);
  expect(periodSeconds).toBe(seconds);
  expect(sent[0]?.get("MetricDataQueries.member.1.MetricStat.Period")).toBe(String(seconds));
});
