import { SLUICE } from "../harness/names.ts";
import type { Row } from "../harness/row.ts";

const ITEMS = 1_000_000;
const ORDERS = ["in order", "at random"] as const;
const MILLISECONDS = 250;

const nameOf = (order: string) => `results-storage ${order}`;

const METRICS = [
  ["dollars", "sum", "$"],
  ["s3Dollars", "S3", "$"],
  ["dynamoDollars", "DynamoDB, additional", "$"],
  ["objectsPerThousand", "raw objects", "per 1,000 tasks"],
  ["PutObjectCommand", "PutObject", "requests"],
  ["GetObjectCommand", "GetObject", "requests"],
  ["ListObjectsV2Command", "ListObjectsV2", "requests"],
  ["UploadPartCommand", "UploadPart", "requests"],
  ["DeleteObjectsCommand", "DeleteObjects", "requests"],
  ["updatesPerThousand", "UpdateItem", "per 1,000 tasks"],
  ["updatesWithoutPerThousand", "UpdateItem without results", "per 1,000 tasks"],
] as const;

/** What the results of a million items cost in requests, each of 200 bytes. Nothing here depends on the machine. */
export const resultsStorage: Row = {
  name: "results-storage",
  cases: (scale) =>
    ORDERS.map((order) => ({
      name: nameOf(order),
      rounds: 1,
      sides: [
        {
          name: SLUICE,
          program: "results-storage.ts",
          input: { items: scale === "quick" ? 10_000 : ITEMS, order, milliseconds: MILLISECONDS },
        },
      ],
      metrics: METRICS.map(([key, label, unit]) => ({ key, label, unit })),
    })),
  marks: ORDERS.flatMap((order) => [
    {
      label: `storage of 10⁶ results of 200 bytes, delivered ${order}`,
      unit: "$",
      atMost: 0.25,
      measured: (measured) => measured.median(`${nameOf(order)} sum`, SLUICE),
    },
    {
      label: `objects for 1,000 tasks, delivered ${order}`,
      unit: "objects",
      atMost: 45,
      measured: (measured) => measured.median(`${nameOf(order)} raw objects`, SLUICE),
    },
  ]),
  plots: [],
  pivot: METRICS.map(([, label]) => label),
};
