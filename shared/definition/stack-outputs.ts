import { ConfigurationError } from "../base/errors.ts";

/** The outputs of a workflow's stack. The CLI reads them to find the queues, the table and the functions. */
export const STACK_OUTPUTS = {
  workflow: "Workflow",
  queueUrl: "QueueUrl",
  deadLetterQueueUrl: "DeadLetterQueueUrl",
  controlQueueUrl: "ControlQueueUrl",
  controlDeadLetterQueueUrl: "ControlDeadLetterQueueUrl",
  table: "Table",
  producerFunction: "ProducerFunction",
  consumerFunction: "ConsumerFunction",
  producerLogGroup: "ProducerLogGroup",
  consumerLogGroup: "ConsumerLogGroup",
  dashboard: "Dashboard",
  resultsUrl: "ResultsUrl",
} as const;

export type StackOutput = keyof typeof STACK_OUTPUTS;

/** Outputs that a stack does not have if its workflow does not use the feature, or if an older Sluice deployed it. */
const OPTIONAL: readonly StackOutput[] = ["resultsUrl", "dashboard"];

/**
 * The values of a workflow's outputs. `resultsUrl` is absent if the workflow keeps no results, `dashboard` if the stack has
 * none.
 */
export type StackOutputs = Readonly<Record<Exclude<StackOutput, "resultsUrl" | "dashboard">, string>> & {
  readonly resultsUrl?: string;
  readonly dashboard?: string;
};

/**
 * The name of an output, such as `SluiceCitiesQueueUrl`. It contains the name of the workflow, because a stack can have
 * several workflows.
 */
export function outputName(workflow: string, output: StackOutput): string {
  const name = workflow.replaceAll(/(?:^|-+)([a-z0-9])/g, (_, first: string) => first.toUpperCase());
  return `Sluice${name.replaceAll("-", "")}${STACK_OUTPUTS[output]}`;
}

/** The names of the workflows in a stack, from the outputs of the stack. */
export function workflowsOf(outputs: Readonly<Record<string, string>>): readonly string[] {
  const names = Object.entries(outputs).filter(([name]) => /^Sluice\w+Workflow$/.test(name));
  return names.map(([, workflow]) => workflow).filter((workflow) => outputName(workflow, "workflow") in outputs);
}

/**
 * Reads the outputs of a workflow.
 *
 * @throws {ConfigurationError} An output is missing: the stack does not contain the workflow, or another version of
 *   Sluice deployed it.
 */
export function readOutputs(workflow: string, outputs: Readonly<Record<string, string>>): StackOutputs {
  const read = (output: StackOutput) => {
    const value = outputs[outputName(workflow, output)];
    if (value !== undefined) return [[output, value] as const];
    if (OPTIONAL.includes(output)) return [];
    throw new ConfigurationError(
      `the stack has no output ${outputName(workflow, output)}: the stack does not contain the workflow "${workflow}", ` +
        "or another version of Sluice deployed it. Deploy the stack again",
    );
  };
  return Object.fromEntries((Object.keys(STACK_OUTPUTS) as StackOutput[]).flatMap(read)) as unknown as StackOutputs;
}
