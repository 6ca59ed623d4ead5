import { runKey } from "../shared/ledger/rows.ts";
import type { LedgerStore } from "../shared/ledger/store.ts";
import { completeEntry, parseControlMessage } from "../shared/messages/control.ts";
import { envelopeBody, parseEnvelope } from "../shared/messages/envelope.ts";
import type { Queue } from "../shared/queue.ts";

/** So often, code that is run is compiled, and no longer looked up. */
const ROUNDS = 6;

/** No run is called so. */
const RUN = "rehearsal";

/**
 * Does while an environment starts what its first invocation would be the first to do: connects, signs, parses,
 * compiles schemas and code. It reads what is not there, and asks for a write whose condition does not hold, so it
 * changes nothing. What fails here fails in an invocation too, where it is dealt with.
 *
 * @param sockets Connections that the function needs to the queue at once.
 */
export async function rehearse(
  services: {
    readonly store: LedgerStore;
    readonly queue: Queue;
    readonly controlQueue: Queue;
  },
  sockets: number,
): Promise<void> {
  const { store, queue, controlQueue } = services;
  const key = runKey(RUN);
  const header = { workflow: RUN, run: RUN, page: 0, epoch: 1, resent: false };
  for (let round = 0; round < ROUNDS; round++) {
    parseEnvelope(envelopeBody(header, round, "{}"));
    parseControlMessage(completeEntry({ run: RUN, workflow: RUN }).body);
    await Promise.allSettled([
      store.get(key),
      store.update(key, { set: { round }, add: { rounds: [round] }, when: [{ equals: ["status", RUN] }] }),
      queue.depth(),
      controlQueue.depth(),
    ]);
  }
  await Promise.allSettled(Array.from({ length: sockets }, () => queue.depth()));
}
