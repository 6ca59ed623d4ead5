import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { estimate, type RunToPlan } from "../../../../cli/plan/estimate.ts";
import { PRICES } from "../../../../shared/aws/prices.ts";
import { topology } from "../../../../shared/definition/topology.ts";

const options = {
  concurrency: 50,
  tasksPerEnvironment: 10,
  timeoutMilliseconds: 60_000,
  retry: { attempts: 5 },
  maxBacklog: undefined,
  memoryMb: 512,
  refill: true,
};
const run: RunToPlan = {
  topology: topology(options),
  items: 8_000,
  itemsPerSourcePage: 200,
  itemBytes: 20,
  pageMilliseconds: 1,
  taskMilliseconds: 250,
  spread: 1,
  failures: 0,
  retry: { attempts: 5, baseMilliseconds: 1_000, capMilliseconds: 300_000 },
  keepsResults: false,
};
const seconds: RunToPlan = {
  ...run,
  topology: topology({ ...options, tasksPerEnvironment: 25, timeoutMilliseconds: 5_000 }),
  items: 1_000,
  taskMilliseconds: 1_000,
  spread: 0,
};

describe("a plan has the requests of metered runs within 5 % and their time within 10 %", () => {
  // The columns of the row `requests` in docs/internals/performance.md, measured on 2026-11-28, for 1,000 tasks.
  test.each([
    ["seconds", seconds, "ordered", 394 + 155],
    ["250 ms, in order", run, "ordered", 355.3 + 133.1],
    ["250 ms, at random", run, "random", 369 + 612.3],
  ] as const)("%s", (_, planned, order, measured) => {
    const { sqs, dynamoDb } = estimate(planned)[order].requests;
    const ratio = (1_000 * (sqs + dynamoDb)) / planned.items / measured;
    expect(ratio).toBeGreaterThan(0.95);
    expect(ratio).toBeLessThan(1.05);
  });

  test("1,000 tasks of one second take 20.12 s", () => {
    expect(estimate(seconds).seconds / 20.12).toBeGreaterThan(0.9);
    expect(estimate(seconds).seconds / 20.12).toBeLessThan(1.1);
  });

  // 8,000 items in pages of 100, with tasks of 250 ms, in so many partitions: metered with `bench/workflows/pages.ts`.
  test.each([
    [1, 2_648 + 1_224],
    [2, 2_659 + 1_279],
    [8, 2_709 + 1_448],
    [32, 2_703 + 2_123],
    [80, 2_768 + 3_126],
  ])("%s partitions", (partitions, measured) => {
    const producers = Math.min(8, partitions);
    const divided = { ...run, partitions, itemsPerSourcePage: 100, spread: 0 };
    const { sqs, dynamoDb } = estimate({ ...divided, topology: topology({ ...options, producers }) }).ordered.requests;
    expect((sqs + dynamoDb) / measured).toBeGreaterThan(0.95);
    expect((sqs + dynamoDb) / measured).toBeLessThan(1.05);
  });

  test("the lanes of a run read its partitions at the same time", () => {
    const slow = { ...run, pageMilliseconds: 3_000, topology: topology({ ...options, producers: 8 }) };
    const secondsOf = (partitions: number | undefined) => estimate({ ...slow, partitions }).seconds;
    // 40 pages of 3 s, of which the lanes read some at the same time. A lane that reads 14 of them takes longest.
    const expected = [120, 120, 42, 40.3, 40.3];
    for (const [position, partitions] of [undefined, 1, 3, 8, 80].entries()) {
      const seconds = secondsOf(partitions);
      expect(seconds).toBeGreaterThan(expected[position] ?? 0);
      expect(seconds).toBeLessThan((expected[position] ?? 0) * 1.1);
    }
  });

  // The row `results-storage`, which counts the objects of the product's own code.
  test.each([
    ["ordered", 33.36, 0.05],
    ["random", 40.21, 0.15],
  ] as const)("objects with results, %s", (order, objectsPerThousand, tolerance) => {
    const items = 1_000_000;
    const planned = estimate({ ...run, items, spread: 0.5, keepsResults: true })[order].requests.s3;
    // Each object is written once and read once.
    expect(Math.abs((500 * planned) / items / objectsPerThousand - 1)).toBeLessThan(tolerance);
  });
});

test("a large run is the continuation of a part of it", () => {
  const [small, large] = [100_000, 10_000_000].map((items) => estimate({ ...run, items }));
  if (small === undefined || large === undefined) throw new Error("no plan");
  expect(large.seconds / small.seconds).toBeCloseTo(100, 0);
  for (const order of ["ordered", "random"] as const) {
    const [few, many] = [small[order].requests, large[order].requests];
    expect(Math.abs(many.sqs / few.sqs / 100 - 1)).toBeLessThan(0.03);
    expect(Math.abs(many.dynamoDb / few.dynamoDb / 100 - 1)).toBeLessThan(0.03);
  }
});

test("a fleet that is simulated in part needs as many requests as the whole one", () => {
  const planned = (environments: number, slots: number) =>
    estimate({
      ...run,
      topology: topology({ ...options, concurrency: environments * slots, tasksPerEnvironment: slots }),
      items: 60 * environments * slots,
      spread: 0.5,
    });
  // Ten environments are simulated as they are. With twice as many, each has the same work.
  const [ten, twenty] = [planned(10, 10), planned(20, 10)];
  expect(twenty.seconds / ten.seconds).toBeCloseTo(1, 0);
  expect(twenty.ordered.requests.sqs / ten.ordered.requests.sqs / 2).toBeCloseTo(1, 1);
});

test("a run without items has the requests of its start and its end", () => {
  for (const partitions of [undefined, 1, 8]) {
    const { seconds, ordered } = estimate({ ...run, items: 0, itemsPerSourcePage: 1, partitions });
    expect(seconds).toBe(0);
    expect(ordered.requests.sqs).toBeGreaterThan(5);
    expect(ordered.requests.sqs).toBeLessThan(50);
    expect(ordered.requests.dynamoDb).toBeGreaterThan(5);
    expect(ordered.dollars.sum).toBeLessThan(0.001);
  }
});

test("a run waits for whatever is slowest", () => {
  expect(estimate(run).bound).toBe("concurrency");
  const paced = estimate({ ...run, perSecond: 20 });
  expect(paced.bound).toBe("rate limit");
  expect(paced.seconds / (run.items / 20)).toBeCloseTo(1, 1);
  // A rate that the slots do not reach changes nothing.
  expect(estimate({ ...run, perSecond: 1_000 }).bound).toBe("concurrency");
  const slow = estimate({ ...run, pageMilliseconds: 2_000 });
  // The last page arrives after 80 s, and its items still need slots.
  expect(slow.bound).toBe("source");
  expect(slow.seconds).toBeCloseTo(81.3, 0);
  const large = { ...run, topology: topology({ ...options, concurrency: 10_000 }), items: 10_000_000 };
  expect(estimate(large).bound).toBe("producer");
  expect(estimate(large).seconds / 2_000).toBeCloseTo(1, 2);
});

test("a large fleet needs time to start: Lambda adds 5 environments a second", () => {
  const fleet = { ...run, topology: topology({ ...options, concurrency: 5_050 }), taskMilliseconds: 10_000, spread: 0 };
  // 505 environments work for 16 s each. In t seconds, those that Lambda has added work for 5t + 2.5t² seconds.
  const planned = estimate(fleet).seconds;
  expect(planned).toBeGreaterThan(40);
  expect(planned).toBeLessThan(90);
});

test("a request with much data costs as several", () => {
  const [small, large] = [20, 60_000].map((itemBytes) => estimate({ ...run, itemBytes }).ordered);
  if (small === undefined || large === undefined) throw new Error("no plan");
  // Ten messages of 60 KB take ten parts of 64 KB, in each request that sends and in each that receives.
  expect(large.requests.sqs).toBe(small.requests.sqs);
  expect(large.dollars.sqs / small.dollars.sqs).toBeGreaterThan(4);
});

test("the prices of the guide are those of the plan", () => {
  const guide = readFileSync(new URL("../../../../docs/guides/costs.md", import.meta.url), "utf8");
  const price = (what: string) => {
    const [, dollars, million] = new RegExp(`^\\| ${what} \\| \\$([\\d.]+) per (million|GB)`, "m").exec(guide) ?? [];
    return Number(dollars) / (million === "million" ? 1e6 : 1);
  };
  const { sqs, lambda, dynamoDb, s3 } = PRICES;
  expect(price("SQS, standard queue")).toBeCloseTo(sqs.standardRequest, 12);
  expect(price("SQS, FIFO queue")).toBeCloseTo(sqs.fifoRequest, 12);
  expect(price("Lambda, arm64")).toBeCloseTo(lambda.arm64GigabyteSecond, 12);
  expect(price("Lambda, requests")).toBeCloseTo(lambda.request, 12);
  expect(price("DynamoDB on demand, writes \\(1 KB each\\)")).toBeCloseTo(dynamoDb.writeUnit, 12);
  expect(price("DynamoDB on demand, reads \\(4 KB each\\)")).toBeCloseTo(dynamoDb.readUnit, 12);
  expect(price("S3, writes and listings")).toBeCloseTo(s3.write, 12);
  expect(price("S3, reads")).toBeCloseTo(s3.read, 12);
  expect(price("S3, storage")).toBeCloseTo(s3.gigabyteMonth, 12);
  expect(PRICES.asOf).toBe("2026-11");
  expect(guide).toContain(`list prices of ${PRICES.region} as of November 2026`);
});
