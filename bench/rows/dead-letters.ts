import { SLUICE } from "../harness/names.ts";
import type { Row } from "../harness/row.ts";

const MOST = 100_000;
const nameOf = (deadLetters: number) => `dead-letters ${deadLetters.toLocaleString("en-US")}`;

/** What it takes to list and group the dead letters of a dead-letter queue, all of which are given back. */
export const deadLetters: Row = {
  name: "dead-letters",
  cases: (scale) =>
    (scale === "quick" ? [1_000] : [1_000, 10_000, MOST]).map((deadLetters) => ({
      name: nameOf(deadLetters),
      rounds: scale === "quick" ? 1 : 3,
      sides: [{ name: SLUICE, program: "dead-letters.ts", input: { deadLetters } }],
      metrics: [
        { key: "seconds", label: "listed", unit: "s" },
        { key: "memoryMb", label: "memory", unit: "MB" },
      ],
    })),
  marks: [
    {
      label: "100,000 dead letters listed and grouped",
      unit: "s",
      atMost: 30,
      measured: (results) => results.median(`${nameOf(MOST)} listed`, SLUICE),
    },
    {
      label: "100,000 dead letters: peak memory",
      unit: "MB",
      atMost: 300,
      measured: (results) => results.median(`${nameOf(MOST)} memory`, SLUICE),
    },
  ],
  plots: [],
};
