/**
 * List prices of AWS in us-east-1, in dollars, without the free tier. `sluice plan` and the benchmarks compute with them, and a
 * test compares `docs/guides/costs.md` with them.
 */
export const PRICES = {
  /** The month in which the prices were read from the pages. */
  asOf: "2026-11",
  region: "us-east-1",
  /** https://aws.amazon.com/sqs/pricing/. Each 64 KB of a request are billed as one request. */
  sqs: { standardRequest: 0.4 / 1e6, fifoRequest: 0.5 / 1e6 },
  /** https://aws.amazon.com/lambda/pricing/ */
  lambda: { arm64GigabyteSecond: 0.0000133334, request: 0.2 / 1e6 },
  /** https://aws.amazon.com/dynamodb/pricing/on-demand/. A write unit covers 1 KB, a read unit 4 KB. */
  dynamoDb: { writeUnit: 0.625 / 1e6, readUnit: 0.125 / 1e6 },
  /** https://aws.amazon.com/s3/pricing/. Deletions cost nothing. */
  s3: { write: 5 / 1e6, read: 0.4 / 1e6, gigabyteMonth: 0.023 },
  /** https://aws.amazon.com/cloudwatch/pricing/. Prices for a month: of a dashboard, a metric of an alarm, a custom metric. */
  cloudWatch: { dashboard: 3, alarmMetric: 0.1, customMetric: 0.3, logsGigabyte: 0.5 },
  /** https://aws.amazon.com/xray/pricing/ */
  xRay: { trace: 5 / 1e6 },
  /** https://aws.amazon.com/secrets-manager/pricing/. A secret costs this for a month. */
  secretsManager: { secret: 0.4, request: 0.05 / 1e4 },
  /** https://aws.amazon.com/kms/pricing/. A key costs this for a month. */
  kms: { key: 1, request: 0.03 / 1e4 },
} as const;
