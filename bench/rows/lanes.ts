import type { Results, Row } from "../harness/row.ts";

const LANES = 8;
const MANY = `${LANES} partitions and lanes`;
const ONE = "one partition";
const COUNTS = [10_000, 100_000, 1_000_000] as const;

const SLOW = "lanes 300 ms a page";
const memoryOf = (items: number) => `lanes ${items.toLocaleString("en-US")}`;

const sides = (input: { readonly items: number; readonly pageMilliseconds?: number }) => [
  { name: MANY, program: "pages.ts", input: { ...input, partitions: LANES } },
  { name: ONE, program: "pages.ts", input: { ...input, partitions: 1 } },
];

const memory = (results: Results, items: number, side: string) => results.median(`${memoryOf(items)} memory`, side);

/** Reading a source with eight lanes, against one. Nobody consumes. */
export const lanes: Row = {
  name: "lanes",
  cases: (scale) => [
    {
      name: SLOW,
      rounds: scale === "quick" ? 1 : 3,
      sides: sides({ items: scale === "quick" ? 1_600 : 16_000, pageMilliseconds: 300 }),
      metrics: [{ key: "messagesPerSecond", label: "rate", unit: "messages/s", baseline: ONE }],
    },
    ...(scale === "quick" ? [COUNTS[0]] : COUNTS).map((items) => ({
      name: memoryOf(items),
      rounds: 1,
      sides: sides({ items }),
      metrics: [
        { key: "messagesPerSecond", label: "rate", unit: "messages/s", baseline: ONE },
        { key: "memoryMb", label: "memory", unit: "MB", baseline: ONE },
      ],
    })),
  ],
  marks: [
    {
      label: "`lanes`, 100 items a page of 300 ms: messages/s, 8 lanes / one",
      atLeast: 7,
      measured: (results) => results.ratio(`${SLOW} rate`, MANY),
    },
    {
      label: "`lanes`, 1,000,000 items: memory of a producer, 8 partitions / one",
      atMost: 1.15,
      measured: (results) => results.ratio(`${memoryOf(COUNTS[2])} memory`, MANY),
    },
    {
      label: "`lanes`, 8 partitions: memory of a producer at 1,000,000 items less that at 10,000",
      unit: "MB",
      atMost: 20,
      measured: (results) => {
        const [few, many] = [COUNTS[0], COUNTS[2]].map((items) => memory(results, items, MANY));
        return few === undefined || many === undefined ? undefined : many - few;
      },
    },
  ],
  plots: [],
};
