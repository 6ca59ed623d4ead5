import { DynamoDbStore } from "../shared/aws/dynamodb-table.ts";
import type { Blueprints } from "../shared/aws/fast-path.ts";
import { Queue } from "../shared/aws/queue.ts";
import type { LedgerStore } from "../shared/aws/table.ts";
import type { FunctionEnvironment } from "../shared/definition/function-environment.ts";
import { runKey } from "../shared/ledger/rows.ts";
import { completeEntry, continueEntry, parseControlMessage, startEntry } from "../shared/messages/control.ts";
import { envelopeBody, parseEnvelope } from "../shared/messages/envelope.ts";
import { createClients } from "./clients.ts";
import { STAND_IN } from "./stand-in.ts";

/** So often, code that is run is compiled, and no longer looked up. */
const ROUNDS = 16;

/** The same for the way to AWS, whose requests take their time. */
const ROUNDS_TO_AWS = 4;

/**
 * How long both take together at most. Lambda ends an environment that is not ready after 10 s, and starts it again: an
 * endpoint that does not answer must cost a little time, and not the function.
 * https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
 */
export const WARM_UP_MILLISECONDS = 1_000;

/** No run is called so. */
const RUN = "rehearsal";

/** Each kind has a schema of its own. */
const CONTROL = [
  startEntry({ run: RUN, workflow: RUN, requestedAt: new Date(0).toISOString() }),
  continueEntry({ run: RUN, workflow: RUN, hop: 1 }),
  completeEntry({ run: RUN, workflow: RUN }),
];

const HEADER = { workflow: RUN, run: RUN, page: 0, epoch: 1, resent: false };

const ITEMS = Array.from({ length: 10 }, (_, index) => index);

/**
 * Does while an environment starts what its first invocation would be the first to do: code that has hardly been run takes
 * several times as long. The requests are made by clients like the function's own, and get no further than those.
 *
 * @param blueprints Of the function's own requests, which are learned on the way.
 * @param isOver Whether no other round may begin. There is one round at least: it teaches the blueprints.
 */
export async function rehearse(
  { queueUrl, table, access }: Pick<FunctionEnvironment, "queueUrl" | "table" | "access">,
  blueprints: Blueprints,
  isOver: () => boolean = () => false,
): Promise<void> {
  const { sqs, dynamoDb } = createClients(() => ({ requestHandler: STAND_IN }), { blueprints }, access);
  const queue = new Queue(sqs, queueUrl);
  const store = new DynamoDbStore(dynamoDb, table);
  for (let round = 0; round < ROUNDS && (round === 0 || !isOver()); round++) {
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

interface WayToAws {
  readonly store: LedgerStore;
  readonly queue: Queue;
  readonly controlQueue: Queue;
}

/**
 * Connects, and goes the way to AWS a few times: reads what is not there, and asks for a write whose condition does not
 * hold. What fails here does not matter, and what takes longer is left: its requests end by their own timeouts.
 *
 * @param milliseconds How long it may take.
 */
export async function connectAhead(way: WayToAws, sockets: number, milliseconds: number): Promise<void> {
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), milliseconds);
  try {
    await Promise.race([goToAws(way, sockets, over.signal), aborted(over.signal)]);
  } finally {
    clearTimeout(timer);
  }
}

async function goToAws({ store, queue, controlQueue }: WayToAws, sockets: number, over: AbortSignal): Promise<void> {
  for (let round = 0; round < ROUNDS_TO_AWS && !over.aborted; round++) {
    await Promise.allSettled([store.get(runKey(RUN)), write(store, round), controlQueue.depth(), queue.depth()]);
  }
  if (!over.aborted) await Promise.allSettled(Array.from({ length: sockets }, () => queue.depth()));
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));

const write = (store: LedgerStore, round: number) =>
  store.update(runKey(RUN), {
    set: { round, name: RUN },
    add: { rounds: [round] },
    when: [{ absent: "digest" }, { equals: ["status", RUN] }],
  });
