import { DynamoDbStore } from "../shared/aws/dynamodb-table.ts";
import type { Blueprints } from "../shared/aws/fast-path.ts";
import { Queue } from "../shared/aws/queue.ts";
import type { LedgerStore } from "../shared/aws/table.ts";
import type { FunctionEnvironment } from "../shared/definition/function-environment.ts";
import type { Connection } from "../shared/ledger/connect.ts";
import { runKey } from "../shared/ledger/keys.ts";
import { completeEntry, continueEntry, parseControlMessage, startEntry } from "../shared/messages/control.ts";
import { envelopeBody, parseEnvelope } from "../shared/messages/envelope.ts";
import { createClients } from "./clients.ts";
import { FAKE_AWS } from "./fake-aws.ts";

/** How often `warmUpCode` runs each function. After this many calls V8 has compiled it. */
const CODE_ROUNDS = 16;

/** How often `warmUpConnections` sends each request. It has fewer rounds, because each round waits for AWS. */
const CONNECTION_ROUNDS = 4;

/**
 * The longest time that both warm-ups may take together. Lambda restarts an environment that is not ready after 10 s.
 * So an endpoint that does not answer may delay the start a little, but must not prevent it.
 * https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
 */
export const WARM_UP_MILLISECONDS = 1_000;

/** The name of the workflow and the run in the warm-up's messages and rows. No real run has this name. */
const RUN = "warm-up";

/** One control message of each kind, because each kind has its own schema. */
const CONTROL = [
  startEntry({ run: RUN, workflow: RUN, requestedAt: new Date(0).toISOString() }),
  continueEntry({ run: RUN, workflow: RUN, hop: 1 }),
  completeEntry({ run: RUN, workflow: RUN }),
];

const HEADER = { workflow: RUN, run: RUN, partition: 0, page: 0, epoch: 1, resent: false };

const ITEMS = Array.from({ length: 10 }, (_, index) => index);

/**
 * Runs the code that the first invocation needs, so that V8 has compiled this code before the invocation starts. Code
 * that V8 has not compiled yet takes several times as long. The requests go to `FAKE_AWS` and never reach the network.
 *
 * @param blueprints Receives the blueprints with which the fast path makes the function's own requests.
 * @param isOver Returns whether the time for the warm-up is over, so that no further round starts. The first round
 *   always runs, because it fills the blueprints.
 */
export async function warmUpCode(
  { queueUrl, table, access }: Pick<FunctionEnvironment, "queueUrl" | "table" | "access">,
  blueprints: Blueprints,
  isOver: () => boolean = () => false,
): Promise<void> {
  const { sqs, dynamoDb } = createClients(() => ({ requestHandler: FAKE_AWS }), { blueprints }, access);
  const queue = new Queue(sqs, queueUrl);
  const store = new DynamoDbStore(dynamoDb, table);
  for (let round = 0; round < CODE_ROUNDS && (round === 0 || !isOver()); round++) {
    for (const { body } of CONTROL) parseControlMessage(body);
    const bodies = ITEMS.map((item) => envelopeBody(HEADER, item, "{}"));
    for (const body of bodies) parseEnvelope(body);
    await Promise.all([
      store.get(runKey(RUN)),
      write(store, round),
      queue.sendEach(bodies.map((body) => ({ body }))),
      queue.receive({ max: ITEMS.length, waitSeconds: 0, visibilityTimeoutSeconds: 0 }),
      queue.changeVisibilities(ITEMS.map((item) => ({ receiptHandle: String(item), milliseconds: 0 }))),
      queue.deleteAll(ITEMS.map(String)),
      queue.depth(),
      queue.changeVisibility("0", 0),
    ]);
  }
}

/** What the connections of a function lead to. */
export interface Endpoints extends Pick<Connection, "store" | "queue"> {
  /** Absent in the consumer: it rarely uses the control queue, and may not read its attributes. */
  readonly controlQueue?: Connection["controlQueue"] | undefined;
}

/**
 * Opens connections to AWS and sends a few requests that change nothing: reads of a row that does not exist, and writes
 * whose condition is false. The function ignores requests that fail. It does not wait for requests that take longer
 * than the given time: these requests end with their own timeouts.
 *
 * @param sockets How many connections to the queue to open.
 * @param milliseconds The longest time that the warm-up may take.
 */
export async function warmUpConnections(endpoints: Endpoints, sockets: number, milliseconds: number): Promise<void> {
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), milliseconds);
  try {
    await Promise.race([sendRequests(endpoints, sockets, over.signal), aborted(over.signal)]);
  } finally {
    clearTimeout(timer);
  }
}

async function sendRequests(
  { store, queue, controlQueue }: Endpoints,
  sockets: number,
  over: AbortSignal,
): Promise<void> {
  for (let round = 0; round < CONNECTION_ROUNDS && !over.aborted; round++) {
    await Promise.allSettled([store.get(runKey(RUN)), write(store, round), queue.depth(), controlQueue?.depth()]);
  }
  if (!over.aborted) await Promise.allSettled(Array.from({ length: sockets }, () => queue.depth()));
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));

/** A write whose condition is false, because no row has the status `RUN`. */
const write = (store: LedgerStore, round: number) =>
  store.update(runKey(RUN), {
    set: { round, name: RUN },
    add: { rounds: [round] },
    when: [{ absent: "digest" }, { equals: ["status", RUN] }],
  });
