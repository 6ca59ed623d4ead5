import { ConfigurationError } from "../base/errors.ts";

/** What a deployed workflow's stack says of itself: where the CLI finds what it works with. */
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
} as const;

export type StackOutput = keyof typeof STACK_OUTPUTS;

/** An output's name in the stack, which may hold other workflows' too: `SluiceCitiesQueueUrl`. */
export function outputName(workflow: string, output: StackOutput): string {
  const name = workflow.replaceAll(/(?:^|-+)([a-z0-9])/g, (_, first: string) => first.toUpperCase());
  return `Sluice${name.replaceAll("-", "")}${STACK_OUTPUTS[output]}`;
}

/** The workflows of a stack, by its outputs. */
export function workflowsOf(outputs: Readonly<Record<string, string>>): readonly string[] {
  const names = Object.entries(outputs).filter(([name]) => /^Sluice\w+Workflow$/.test(name));
  return names.map(([, workflow]) => workflow).filter((workflow) => outputName(workflow, "workflow") in outputs);
}

/**
 * A workflow's outputs.
 *
 * @throws {ConfigurationError} The stack lacks one: it holds no such workflow, or was deployed by another version.
 */
export function readOutputs(
  workflow: string,
  outputs: Readonly<Record<string, string>>,
): Readonly<Record<StackOutput, string>> {
  const read = (output: StackOutput) => {
    const value = outputs[outputName(workflow, output)];
    if (value !== undefined) return [output, value] as const;
    throw new ConfigurationError(
      `the stack has no output ${outputName(workflow, output)}: it does not hold the workflow "${workflow}", or was ` +
        "deployed by another version of Sluice: deploy it again",
    );
  };
  return Object.fromEntries((Object.keys(STACK_OUTPUTS) as StackOutput[]).map(read)) as Record<StackOutput, string>;
}
