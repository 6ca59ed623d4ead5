import { expect, onTestFinished, test, vi } from "vitest";
import { functionMetrics, InvocationMetrics } from "../../../functions/cloudwatch-metrics.ts";

function published() {
  const lines: string[] = [];
  const log = vi.spyOn(process.stdout, "write").mockImplementation((line) => lines.push(String(line)) > 0);
  onTestFinished(() => log.mockRestore());
  return () =>
    lines
      .join("")
      .trimEnd()
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
}

test("the counts of an invocation are one document", () => {
  const documents = published();
  const metrics = new InvocationMetrics(functionMetrics("orders", "consumer", "orders-prod"));
  metrics.peak("inFlight", 2);
  metrics.peak("inFlight", 1);
  metrics.count("succeeded", 1);
  metrics.count("succeeded", 2);
  metrics.count("retried", 0);
  metrics.duration(5);
  metrics.duration(7);

  metrics.publish();

  expect(documents()).toMatchObject([
    { workflow: "orders", stack: "orders-prod", Succeeded: 3, InFlight: 2, TaskDuration: [5, 7] },
  ]);
  expect(documents()[0]).not.toHaveProperty("Retried");
  expect(documents()[0]._aws.CloudWatchMetrics[0].Metrics).toContainEqual({
    Name: "TaskDuration",
    Unit: "Milliseconds",
  });
});

test("no document has more than a hundred durations, and together they have all of them", () => {
  const documents = published();
  const metrics = new InvocationMetrics(functionMetrics("orders", "consumer", "orders-prod"));
  const durations = Array.from({ length: 250 }, (_, task) => task);
  for (const duration of durations) {
    metrics.count("succeeded", 1);
    metrics.duration(duration);
  }

  metrics.publish();

  expect(documents().map(({ Succeeded }) => Succeeded)).toEqual([100, 100, 50]);
  expect(documents().flatMap(({ TaskDuration }) => TaskDuration)).toEqual(durations);
});

test("two invocations that share a function's metrics do not mix their values", () => {
  const documents = published();
  const shared = functionMetrics("orders", "consumer", "orders-prod");
  const [first, second] = [new InvocationMetrics(shared), new InvocationMetrics(shared)];
  first.count("succeeded", 1);
  second.count("succeeded", 10);
  for (const duration of [5, 7]) second.duration(duration);

  second.publish();
  first.publish();

  expect(documents()).toMatchObject([{ Succeeded: 10, TaskDuration: [5, 7] }, { Succeeded: 1 }]);
  expect(documents()[1]).not.toHaveProperty("TaskDuration");
});

test("an invocation that counted nothing publishes nothing", () => {
  const documents = published();
  new InvocationMetrics(functionMetrics("orders", "producer", "orders-prod")).publish();
  expect(documents()).toEqual([]);
});

test("each level has its metric: the highest value of the invocation", () => {
  const documents = published();
  const metrics = new InvocationMetrics(functionMetrics("orders", "consumer", undefined));
  metrics.peak("fleetSlots", 12);
  metrics.peak("fleetStarts", 19.5);
  metrics.peak("fleetSlots", 10);

  metrics.publish();

  expect(documents()).toMatchObject([{ FleetSlots: 12, FleetStarts: 19.5 }]);
  expect(documents()[0]).not.toHaveProperty("InFlight");
  expect(documents()[0]._aws.CloudWatchMetrics[0].Metrics).toContainEqual({
    Name: "FleetStarts",
    Unit: "Count/Second",
  });
});

test("each counter has its metric", () => {
  const documents = published();
  const metrics = new InvocationMetrics(functionMetrics("orders", "consumer", undefined));
  const counters = [
    "produced",
    "succeeded",
    "retried",
    "throttled",
    "timedOut",
    "deadLettered",
    "slicesFailed",
  ] as const;
  for (const counter of [...counters, "fastPathFallbacks"] as const) metrics.count(counter, 1);

  metrics.publish();

  expect(documents()).toMatchObject([
    {
      Produced: 1,
      Succeeded: 1,
      Retried: 1,
      Throttled: 1,
      TimedOut: 1,
      DeadLettered: 1,
      SlicesFailed: 1,
      FastPathFallbacks: 1,
    },
  ]);
  // On the embedded engine there is no stack.
  expect(documents()[0]).not.toHaveProperty("stack");
});
