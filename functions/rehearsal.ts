import type { Blueprints } from "../shared/fast-path.ts";
import type { FunctionEnvironment } from "../shared/function-environment.ts";
import { DynamoDbStore } from "../shared/ledger/dynamodb-store.ts";
import { runKey } from "../shared/ledger/rows.ts";
import type { LedgerStore } from "../shared/ledger/store.ts";
import { completeEntry, continueEntry, parseControlMessage, startEntry } from "../shared/messages/control.ts";
import { envelopeBody, parseEnvelope } from "../shared/messages/envelope.ts";
import { Queue } from "../shared/queue.ts";
import { createClients } from "./clients.ts";
import { STAND_IN } from "./stand-in.ts";

/** So often, code that is run is compiled, and no longer looked up. */
const ROUNDS = 16;

/** The same for the way to AWS, whose requests take their time. */
const ROUNDS_TO_AWS = 4;

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
 */
export async function rehearse(
  { queueUrl, table }: Pick<FunctionEnvironment, "queueUrl" | "table">,
  blueprints: Blueprints,
): Promise<void> {
  const { sqs, dynamoDb } = createClients(() => ({ requestHandler: STAND_IN }), blueprints);
  const queue = new Queue(sqs, queueUrl);
  const store = new DynamoDbStore(dynamoDb, table);
  for (let round = 0; round < ROUNDS; round++) {
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
    ]);
  }
}

/**
 * Connects, and goes the way to AWS a few times: reads what is not there, and asks for a write whose condition does not
 * hold. What fails here does not matter.
 */
export async function connectAhead(
  { store, queue, controlQueue }: { readonly store: LedgerStore; readonly queue: Queue; readonly controlQueue: Queue },
  sockets: number,
): Promise<void> {
  for (let round = 0; round < ROUNDS_TO_AWS; round++) {
    await Promise.allSettled([store.get(runKey(RUN)), write(store, round), controlQueue.depth(), queue.depth()]);
  }
  await Promise.allSettled(Array.from({ length: sockets }, () => queue.depth()));
}

const write = (store: LedgerStore, round: number) =>
  store.update(runKey(RUN), {
    set: { round, name: RUN },
    add: { rounds: [round] },
    when: [{ absent: "digest" }, { equals: ["status", RUN] }],
  });
