/** A folder whose code is mutated, and the test files that must notice. */
export interface Area {
  readonly folder: string;
  /** The tests of the folder itself. */
  readonly tests: readonly string[];
  /** Tests of other folders, which run this folder's code too. */
  readonly others: readonly string[];
}

const CONSUMER = "test/unit/consumer/**/*.test.ts";
const PRODUCER = "test/unit/producer/**/*.test.ts";
const LEDGER = "test/unit/ledger/**/*.test.ts";
const CONTROL = "test/unit/control/**/*.test.ts";
const DEAD_LETTERS = "test/unit/dead-letters/**/*.test.ts";

export const AREAS: readonly Area[] = [
  {
    folder: "shared/ledger",
    tests: [LEDGER, CONTROL, "test/integration/ledger/store.test.ts"],
    others: [PRODUCER, CONSUMER, DEAD_LETTERS],
  },
  { folder: "shared/consumer", tests: [CONSUMER, CONTROL], others: [] },
  { folder: "shared/producer", tests: [PRODUCER, CONTROL], others: [LEDGER] },
  {
    folder: "local/sqs",
    tests: [
      "test/unit/local/**/*.test.ts",
      "test/integration/sqs/store.test.ts",
      "test/integration/sqs/conformance.test.ts",
      "test/integration/sqs/server.test.ts",
    ],
    others: [],
  },
];
