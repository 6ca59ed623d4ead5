import { isPossibleFleet, type Topology, topology } from "../../shared/definition/topology.ts";
import type { Workflow } from "../../shared/definition/workflow.ts";

/**
 * The topology of a workflow on this machine.
 *
 * @param concurrency The option `--concurrency`. If the workflow's `tasksPerEnvironment` does not suit it, the default of
 *   `tasksPerEnvironment` for this concurrency is used.
 * @throws {ConfigurationError} The concurrency is not possible.
 */
export function localTopology(workflow: Workflow, concurrency: number = workflow.concurrency): Topology {
  if (concurrency === workflow.concurrency) return topology(workflow);
  const { tasksPerEnvironment: wanted } = workflow;
  const tasksPerEnvironment = wanted !== undefined && isPossibleFleet(concurrency, wanted) ? wanted : undefined;
  return topology({ ...workflow, concurrency, tasksPerEnvironment });
}
