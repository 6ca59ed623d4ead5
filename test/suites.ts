/**
 * Environment variables of all tests. The embedded SQS delivers in random order, because AWS promises none: so no test can
 * pass only because messages come in the order in which they were sent.
 */
export const TEST_ENVIRONMENT = { SLUICE_LOCAL_SQS: "random-order" } as const;

/**
 * Files that `npm test` runs beside all of `test/unit`: with them, `npm test` finds what a contributor breaks by accident.
 */
export const QUICK = [
  "test/infra/fan-out.test.ts",
  "test/infra/logical-ids.test.ts",
  "test/integration/engine/first-run.test.ts",
  "test/integration/ledger/store.test.ts",
  "test/integration/sqs/conformance.test.ts",
  "test/integration/sqs/server.test.ts",
  "test/integration/sqs/store.test.ts",
];

/** What one place adds to the gate. */
export interface GatePart {
  /** A folder: all its test files, except those of `QUICK`, are in the gate. */
  readonly folder: string;
  readonly adds: string;
}

/** What `npm run gate` adds to `npm test`. */
export const GATE: readonly GatePart[] = [
  { folder: "test/infra", adds: "whole apps, stages, alarms, cdk-nag and the deployed bundles" },
  { folder: "test/integration/cli", adds: "every command as a process, with a real engine, and on a terminal" },
  { folder: "test/integration/consumer", adds: "isolated attempts in child processes, and a pause of 11 days" },
  {
    folder: "test/integration/dead-letters",
    adds: "random commands on dead letters, with crashes between any two steps",
  },
  {
    folder: "test/integration/engine",
    adds: "the engine under crashes, kills, throttling, restarts and foreign requests",
  },
  { folder: "test/integration/ledger", adds: "random interleavings of ledger writes, with crashes" },
  { folder: "test/integration/sources", adds: "sources that read from DynamoDB, S3 and PostgreSQL" },
  {
    folder: "test/integration/sqs",
    adds: "SQS against a model, in process and over HTTP, and the same cases on fauxqs",
  },
  { folder: "test/exploration", adds: "every order of the ledger's steps in small scopes, and a mutant of each rule" },
  { folder: "test/docs", adds: "the snippets of the README and the guides, and the API reference" },
  { folder: "test/chaos", adds: "runs whose processes and requests fail at random" },
  { folder: "test/browser", adds: "the dashboard in Chromium, and web pages that attack the dashboard and the engine" },
  { folder: "test/deploy", adds: "a deployment to an emulator of AWS, and the packed library" },
];

/** The parts that vitest runs in one go; the browser and the deployment have configurations of their own. */
export const GATE_FILES = GATE.map(({ folder }) => folder)
  .filter((folder) => !["test/browser", "test/deploy"].includes(folder))
  .map((folder) => `${folder}/**/*.test.ts`);
