import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Template } from "aws-cdk-lib/assertions";
import { expect, test, vi } from "vitest";
import { PRICES } from "../../shared/aws/prices.ts";
import { root, synthesise } from "./synthesis.ts";

// Each template takes half a second, and several where cores are shared.
vi.setConfig({ testTimeout: 600_000 });

const page = readFileSync(join(root, "docs/guides/costs.md"), "utf8");

/** Five pollers, each with a poll of 20 s. https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html */
const POLLS = 5 * 3 * 60 * 24 * 30;

/** How many metrics the alarms of a template have: CloudWatch bills each metric of an expression. */
function alarmMetrics(template: Template): number {
  const alarms = Object.values(template.findResources("AWS::CloudWatch::Alarm"));
  return alarms
    .map(({ Properties: { Metrics } }) =>
      Metrics === undefined ? 1 : Metrics.filter((each: object) => "MetricStat" in each).length,
    )
    .reduce((sum, each) => sum + each, 0);
}

const dollars = (amount: number) => `$${amount.toFixed(2)}`;

/** The last cell of a line of the table of standing costs. */
const costOf = (line: string) => page.match(new RegExp(`^\\| ${line} \\|.*\\| (\\$[0-9.]+) \\|$`, "m"))?.[1];

const { template } = synthesise({ schedule: "rate(1 day)" });
const polling = { queue: POLLS * PRICES.sqs.standardRequest, control: POLLS * PRICES.sqs.fifoRequest };
const alarms = alarmMetrics(template) * PRICES.cloudWatch.alarmMetric;
const { dashboard } = PRICES.cloudWatch;

test("the page has the standing cost of exactly what the template deploys", () => {
  template.resourceCountIs("AWS::CloudWatch::Dashboard", 1);
  template.resourceCountIs("AWS::Lambda::EventSourceMapping", 2);
  expect(costOf("polling, queue")).toBe(dollars(polling.queue));
  expect(costOf("polling, control queue")).toBe(dollars(polling.control));
  expect(costOf("alarms")).toBe(dollars(alarms));
  expect(costOf("dashboard")).toBe(dollars(dashboard));
  const sum = polling.queue + polling.control + alarms + dashboard;
  expect(page).toContain(`| **sum** | | **${dollars(sum)}** |`);
  const plain = alarmMetrics(synthesise().template);
  const scheduled = alarmMetrics(template) - plain;
  expect(page).toContain(`${plain} metrics × $0.10, and ${scheduled} more with a \`schedule\``);
});

test("the page says what each switch saves, and no other resource remains", () => {
  expect(page).toContain(`| \`dashboard: false\` | ${dollars(dashboard)} |`);
  expect(page).toContain(`| \`alarms: false\` | ${dollars(alarms)} |`);
  expect(page).toContain(`$${(polling.queue + polling.control).toFixed(2)} a month.`);
  const bare = synthesise({ schedule: "rate(1 day)", alarms: false, dashboard: false }).template;
  bare.resourceCountIs("AWS::CloudWatch::Dashboard", 0);
  expect(alarmMetrics(bare)).toBe(0);
});

test("the page has the prices that it computes with, and their month", () => {
  const { cloudWatch, xRay, secretsManager, kms } = PRICES;
  for (const row of [
    `| CloudWatch Logs | ${dollars(cloudWatch.logsGigabyte)} per GB |`,
    `| CloudWatch, dashboard | $${cloudWatch.dashboard} per month |`,
    `| CloudWatch, alarm | ${dollars(cloudWatch.alarmMetric)} per metric and month |`,
    `| CloudWatch, custom metric | ${dollars(cloudWatch.customMetric)} per month |`,
    `| X-Ray, traces | $${xRay.trace * 1e6} per million |`,
    `| Secrets Manager, secret | ${dollars(secretsManager.secret)} per month |`,
    `| Secrets Manager, requests | ${dollars(secretsManager.request * 1e4)} per 10,000 |`,
    `| KMS, key of yours | $${kms.key} per month |`,
    `| KMS, requests | ${dollars(kms.request * 1e4)} per 10,000 |`,
  ]) {
    expect(page).toContain(row);
  }
  const month = new Date(`${PRICES.asOf}-01`).toLocaleString("en", { month: "long", year: "numeric", timeZone: "UTC" });
  expect(page).toMatch(new RegExp(`list prices of us-east-1 as of\\s+${month}`.replaceAll(" ", "\\s+")));
});

test("the page has the number of custom metrics that the functions publish", async () => {
  const code = readFileSync(join(root, "infra/fan-out-metrics.ts"), "utf8");
  const names = code.match(/export type FanOutMetricName =\n([^;]*);/)?.[1]?.match(/"\w+"/g) ?? [];
  expect(page).toContain(`There are at most ${names.length} for each workflow`);
  expect(page).toContain(`${dollars(names.length * PRICES.cloudWatch.customMetric)} for a workflow that runs`);
});
