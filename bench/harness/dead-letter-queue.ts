import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openServices } from "../../local/local-services.ts";
import { StateDirectory } from "../../local/state-directory.ts";
import { STATE_ROOT } from "../../local/state-root.ts";
import { toFailure } from "../../shared/base/failure.ts";
import { topology } from "../../shared/definition/topology.ts";
import { deadLetterBody } from "../../shared/messages/dead-letter.ts";
import workflow from "../workflows/noop.ts";

const ATTEMPTS = 3;
const PER_PAGE = 200;
const ERRORS = [
  (n: number) => new TypeError(`fetch failed: connect ECONNREFUSED 10.0.${n % 256}.7:5432`),
  (n: number) => new Error(`no price for order ord_${n}a7b: the service answered 404 Not Found`),
  (n: number) => new RangeError(`"${n}" is out of range at https://example.com/items/${n}`),
];

/**
 * Fills the dead-letter queue of a workflow in the embedded SQS, in a directory. The dead letters have three errors, and the stacks of
 * three attempts each: about 4 KB a dead letter.
 *
 * @returns the workflow's name.
 */
export async function fillDeadLetterQueue(directory: string, deadLetters: number): Promise<string> {
  const { name } = workflow;
  const state = new StateDirectory(name, join(directory, STATE_ROOT));
  const services = await openServices({ workflow: name, topology: topology(workflow), state });
  for (let first = 0; first < deadLetters; first += PER_PAGE) {
    const count = Math.min(PER_PAGE, deadLetters - first);
    const messages = Array.from({ length: count }, (_, index) => ({ body: bodyOf(first / PER_PAGE, index) }));
    services.sqs.store.sendBatch(services.names.deadLetterQueue, messages);
  }
  await services.close();
  state.remember({
    workflow: name,
    file: fileURLToPath(new URL("../workflows/noop.ts", import.meta.url)),
    name,
    run: "measured",
  });
  return name;
}

function bodyOf(page: number, index: number): string {
  const number = page * PER_PAGE + index;
  const thrown = ERRORS[number % ERRORS.length]?.(number);
  const at = Date.now();
  return deadLetterBody(
    { sluice: 1, workflow: workflow.name, run: "measured", page, index, epoch: 1, item: { number } },
    {
      reason: "exhausted",
      at: new Date(at).toISOString(),
      failures: Array.from({ length: ATTEMPTS }, (_, attempt) =>
        toFailure(thrown, { attempt: attempt + 1, startedAt: at, endedAt: at + 12 }),
      ),
    },
  );
}
