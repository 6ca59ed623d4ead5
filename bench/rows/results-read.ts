import { SLUICE } from "../harness/names.ts";
import type { Row } from "../harness/row.ts";

const RESULTS = 1_000_000;

/** The format of the run's parts, and the format that the command writes. */
const FORMATS = [
  ["jsonl", "jsonl"],
  ["csv", "csv"],
  ["jsonl", "csv"],
  ["csv", "jsonl"],
] as const;

const nameOf = (from: string, to: string) => `results-read ${from.toUpperCase()} to ${to.toUpperCase()}`;

/** `sluice results` of a million results of 200 bytes, to a file. */
export const resultsRead: Row = {
  name: "results-read",
  cases: (scale) =>
    FORMATS.map(([from, to]) => ({
      name: nameOf(from, to),
      rounds: scale === "quick" ? 1 : 3,
      sides: [
        {
          name: SLUICE,
          program: "results-read.ts",
          input: { results: scale === "quick" ? 10_000 : RESULTS, from, to },
        },
      ],
      metrics: [
        { key: "rowsPerCpuSecond", label: "rate", unit: "rows per CPU second" },
        { key: "rowsPerSecond", label: "wall rate", unit: "rows/s" },
        { key: "memoryMb", label: "memory", unit: "MB" },
      ],
    })),
  marks: FORMATS.flatMap(([from, to]) => [
    {
      label: `\`sluice results\` of 10⁶ rows, ${from.toUpperCase()} to ${to.toUpperCase()}`,
      unit: "rows per CPU second",
      atLeast: 100_000,
      measured: (measured) => measured.median(`${nameOf(from, to)} rate`, SLUICE),
    },
    {
      label: `\`sluice results\` of 10⁶ rows, ${from.toUpperCase()} to ${to.toUpperCase()}: peak memory`,
      unit: "MB",
      atMost: 250,
      measured: (measured) => measured.median(`${nameOf(from, to)} memory`, SLUICE),
    },
  ]),
  plots: [],
};
