import { fillDeadLetterQueue } from "../harness/dead-letter-queue.ts";
import { measuredCommand } from "../harness/measured-command.ts";
import { side } from "../harness/side.ts";

interface Input {
  readonly deadLetters: number;
}

// `sluice dlq` itself.
await side<Input>(async ({ deadLetters }, directory) => {
  await fillDeadLetterQueue(directory, deadLetters);
  const { stdout, seconds, memoryMb } = await measuredCommand(directory, ["dlq", "--json"]);
  const listed = stdout
    .trim()
    .split("\n")
    .map((line): { readonly deadLetters?: number } => JSON.parse(line))
    .find((line) => line.deadLetters !== undefined);
  if (listed?.deadLetters !== deadLetters)
    throw new Error(`${listed?.deadLetters} of ${deadLetters} dead letters were listed:\n${stdout}`);
  return { seconds, memoryMb };
});
