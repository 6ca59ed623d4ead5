import { expect, test } from "vitest";
import { localTopology } from "../../../../cli/runs/local-topology.ts";
import { defineWorkflow } from "../../../../shared/index.ts";
import { workflowOptions } from "../../../helpers/workflow-options.ts";

const workflow = defineWorkflow(workflowOptions({ concurrency: 50, tasksPerEnvironment: 10 }));

test.each([
  ["the workflow's own", undefined, 50, 10],
  ["a multiple of tasksPerEnvironment", 20, 20, 10],
  ["no multiple", 12, 12, 6],
  ["a multiple that would need one environment only", 10, 10, 5],
  ["less than tasksPerEnvironment", 3, 3, 1],
])("with the concurrency %s, the fleet is a possible one", (_, concurrency, expected, tasksPerEnvironment) => {
  expect(localTopology(workflow, concurrency)).toMatchObject({ concurrency: expected, tasksPerEnvironment });
});

test("a concurrency of 1 is refused", () => {
  expect(() => localTopology(workflow, 1)).toThrow("concurrency must be at least 2");
});
