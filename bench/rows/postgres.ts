import { SLUICE } from "../harness/names.ts";
import { needsPostgres } from "../harness/private-server.ts";
import type { Row } from "../harness/row.ts";

const BARE = "bare loop of pg-cursor";
const COUNT = 1_000_000;
const NAME = `postgres ${COUNT.toLocaleString("en-US")}`;

/** The rows of a table into the queue: a page for each key, against one cursor and sending alone. */
export const postgres: Row = {
  name: "postgres",
  cases(scale) {
    const input = { items: scale === "quick" ? 10_000 : COUNT };
    return [
      {
        name: NAME,
        rounds: 1,
        sides: [
          { name: SLUICE, program: "postgres-rows.ts", input, needs: needsPostgres },
          { name: BARE, program: "bare-cursor.ts", input, needs: needsPostgres },
        ],
        metrics: [
          { key: "messagesPerSecond", label: "rate", unit: "messages/s", baseline: BARE },
          { key: "memoryMb", label: "memory", unit: "MB" },
        ],
      },
    ];
  },
  marks: [
    {
      label: "`postgres`, 1,000,000 rows: messages/s, Sluice / bare loop of pg-cursor",
      atLeast: 0.9,
      measured: (results) => results.ratio(`${NAME} rate`, SLUICE),
    },
  ],
  plots: [],
};
