import { expect, test } from "vitest";
import { traceOfInvocation, turnsOf } from "../../../local/lambda/trace-header.ts";

test("each invocation of a function adds a turn, and keeps the turns of others and the root", () => {
  const first = traceOfInvocation(undefined, "producer");
  expect(first).toMatch(/^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0;Lineage=[0-9a-f]{8}:1$/);
  const second = traceOfInvocation(traceOfInvocation(first, "consumer"), "producer");
  expect(turnsOf(second, "producer")).toBe(2);
  expect(turnsOf(second, "consumer")).toBe(1);
  expect(second.split(";")[0]).toBe(first.split(";")[0]);
});

test("a header without a lineage, or none, has no turns", () => {
  for (const header of [undefined, "", "Root=1-5759e988-bd862e3fe1be46a994272793", "Lineage=", "Lineage=|:"]) {
    expect(turnsOf(header, "producer")).toBe(0);
  }
});
