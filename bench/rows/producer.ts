import { SLUICE } from "../harness/names.ts";
import type { Row } from "../harness/row.ts";

const BARE = "bare loop of SendMessageBatch";
const COUNTS = [10_000, 100_000, 1_000_000] as const;

const nameOf = (items: number) => `producer ${items.toLocaleString("en-US")}`;

/** Paging a source into the queue, against sending alone. */
export const producer: Row = {
  name: "producer",
  cases: (scale) =>
    (scale === "quick" ? [COUNTS[0]] : COUNTS).map((items) => ({
      name: nameOf(items),
      // A million takes long, and as many messages leave little to chance.
      rounds: scale === "quick" || items === 1_000_000 ? 1 : 3,
      sides: [
        { name: SLUICE, program: "producer.ts", input: { items } },
        { name: BARE, program: "bare-sends.ts", input: { items } },
      ],
      metrics: [
        { key: "messagesPerSecond", label: "rate", unit: "messages/s", baseline: BARE },
        { key: "memoryMb", label: "memory", unit: "MB" },
      ],
    })),
  marks: [
    ...COUNTS.map((items) => ({
      label: `producer, ${items.toLocaleString("en-US")} items: messages/s, Sluice / bare loop`,
      atLeast: 0.95,
      measured: (results: Parameters<Row["marks"][number]["measured"]>[0]) =>
        results.ratio(`${nameOf(items)} rate`, SLUICE),
    })),
    {
      label: "producer: memory at 1,000,000 items less that at 10,000",
      unit: "MB",
      atMost: 20,
      measured: (results) => {
        const [few, many] = [COUNTS[0], COUNTS[2]].map((items) => results.median(`${nameOf(items)} memory`, SLUICE));
        return few === undefined || many === undefined ? undefined : many - few;
      },
    },
  ],
  plots: [
    {
      file: "performance-producer.svg",
      title: "Paging a source into the queue",
      panels: (["rate", "memory"] as const).map((label) => ({
        title: label === "rate" ? label : "peak memory",
        unit: label === "rate" ? "messages/s" : "MB",
        groups: COUNTS.map((items) => ({
          label: `${items.toLocaleString("en-US")} items`,
          row: `${nameOf(items)} ${label}`,
        })),
      })),
    },
  ],
};
