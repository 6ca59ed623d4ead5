/** A folder whose code is mutated, and the test files that must notice. */
export interface Area {
  readonly folder: string;
  /** The tests of the folder itself. */
  readonly tests: readonly string[];
  /** Tests of other folders, which run this folder's code too. */
  readonly others: readonly string[];
}

const unit = (folder: string) => `test/unit/${folder}/**/*.test.ts`;

export const AREAS: readonly Area[] = [
  {
    folder: "shared/ledger",
    tests: [unit("ledger"), unit("control"), "test/integration/ledger/store.test.ts"],
    others: [unit("producer"), unit("consumer"), unit("dead-letters")],
  },
  {
    folder: "shared/consumer",
    tests: [unit("consumer"), unit("control")],
    others: [],
  },
  {
    folder: "shared/producer",
    tests: [unit("producer"), unit("control")],
    others: [unit("ledger"), unit("functions")],
  },
  {
    folder: "local/sqs",
    tests: [
      unit("local/sqs"),
      "test/unit/local/{aws-behaviour,request-scheduler,trace-header,waiters}.test.ts",
      "test/integration/sqs/store.test.ts",
      "test/integration/sqs/conformance.test.ts",
      "test/integration/sqs/server.test.ts",
      "test/integration/sqs/in-process.test.ts",
    ],
    others: ["test/unit/local/{event-source-mapping,state-failure}.test.ts"],
  },
];
