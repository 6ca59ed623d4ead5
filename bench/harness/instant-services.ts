/** Takes the place of `functions/function-services.ts` where the handler itself is measured: services that answer at once. */

import { ReceiveMessageCommand, type SQSClient } from "@aws-sdk/client-sqs";
import workflow from "#workflow";
import { Queue } from "../../shared/aws/queue.ts";
import type { LedgerStore } from "../../shared/aws/table.ts";
import { Ledger } from "../../shared/ledger/ledger.ts";
import { LimitRow } from "../../shared/ledger/limit-row.ts";

/** What `ReceiveMessage` answers: set by the caller of the handler, because the handler's bundle holds another copy of this module. */
export const RECEIVE = Symbol.for("sluice.bench.receive");

const store: LedgerStore = {
  get: async () => undefined,
  getMany: async () => new Map(),
  // A page that holds what was just recorded, and so is never full.
  update: async ({ pk, sk }, { add }) => {
    const sets = Object.entries(add ?? {}).map(([attribute, members]) => [attribute, new Set(members)] as const);
    return { pk, sk, size: 200, epoch: 1, digest: "", ...Object.fromEntries(sets) };
  },
  newest: async () => [],
};

const client = {
  async send(command: object) {
    if (!(command instanceof ReceiveMessageCommand)) return {};
    return { Messages: (globalThis as unknown as { [RECEIVE](): unknown[] })[RECEIVE]() };
  },
} as unknown as SQSClient;

export async function functionServices() {
  const queue = new Queue(client, "http://127.0.0.1/queue");
  const ledger = new Ledger(store, Date.now, async () => {});
  return {
    workflow,
    ledger,
    runs: ledger.runs,
    limitRow: new LimitRow(store),
    queue,
    deadLetterQueue: queue,
    controlQueue: queue,
    controlDeadLetterQueue: queue,
    now: Date.now,
    random: Math.random,
  };
}
