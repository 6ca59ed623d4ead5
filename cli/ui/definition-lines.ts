import { formatDuration } from "../../shared/base/duration.ts";
import type { Workflow } from "../../shared/definition/workflow.ts";
import { count, plural } from "../../shared/observe/text.ts";
import type { DefinitionLine } from "../../ui/server/api.ts";

/** What a workflow's definition says, for people. */
export function definitionLines(workflow: Workflow): readonly DefinitionLine[] {
  const { concurrency, tasksPerEnvironment, rateLimit, timeoutMilliseconds, retry, overlap, schedule } = workflow;
  const lines: readonly (readonly [string, string | undefined])[] = [
    ["concurrency", `${count(concurrency)} tasks in flight`],
    ["tasks per environment", tasksPerEnvironment?.toString()],
    ["rate limit", rateLimit?.perSecond === undefined ? undefined : `${rateLimit.perSecond} starts per second`],
    ["timeout", `${formatDuration(timeoutMilliseconds)} for an attempt`],
    ["attempts", `at most ${retry.attempts}`],
    ["limit", workflow.limit === undefined ? undefined : plural(workflow.limit, "item")],
    ["item schema", workflow.item === undefined ? "none" : `yes (${workflow.item["~standard"].vendor})`],
    ["results", workflow.results === undefined ? "not kept" : `kept as ${workflow.results.format}`],
    ["overlap", overlap],
    ["schedule", schedule === undefined ? "none" : schedule.expression],
    ["memory", `${workflow.memoryMb} MB`],
  ];
  return lines.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
}
