import type { ReceivedMessage } from "../aws/received-message.ts";
import { MalformedMessageError, SluiceError, toError } from "../base/errors.ts";
import { NewerVersionError } from "../base/newer-version.ts";
import type { ItemLedger, ItemState } from "../ledger/item-ledger.ts";
import { parseEnvelope } from "../messages/envelope.ts";
import { addressOf } from "../messages/item-address.ts";
import type { ItemMessage } from "../messages/item-message.ts";
import type { RunMode, RunWatch } from "./run-watch.ts";

export interface LookUpOptions {
  readonly workflow: { readonly name: string };
  readonly ledger: ItemLedger;
  readonly runWatch: RunWatch;
  readonly now: () => number;
  /** Where results are stored. Absent: messages of runs with results are not for this code. */
  readonly resultStore?: object | undefined;
}

/** What the body of a message holds. */
export type ReadMessage =
  | { readonly tag: "item"; readonly item: ItemMessage }
  /** The body is not an envelope of this workflow. */
  | { readonly tag: "foreign"; readonly error: Error }
  /** Other code must handle the message: a newer version of Sluice, or a definition with results. */
  | { readonly tag: "newer version"; readonly error: Error };

/** The run keeps results, and this code was deployed without them. The code is `NO_RESULT_STORE`. */
export class NoResultStoreError extends SluiceError {
  override readonly name = "NoResultStoreError";

  constructor(run: string) {
    super(
      "NO_RESULT_STORE",
      `run ${run} keeps the results of its tasks, and this code was deployed from a definition without results: deploy one ` +
        `with results, or cancel the run (npx sluice cancel ${run})`,
      { ids: { run } },
    );
  }
}

/** The result of an item's look-up. */
export type LookedUp =
  | {
      readonly tag: "found";
      readonly state: ItemState;
      /** What must be done with the messages of the item's run. */
      readonly mode: RunMode;
      /** When the look-up began, in the clock's milliseconds. */
      readonly at: number;
    }
  | { readonly tag: "failed"; readonly error: unknown };

const NEVER_SEEN = { tag: "pending", failures: [], final: undefined, receives: new Map() } as const satisfies ItemState;

/**
 * Finds out what must be known of an item before its attempt: what happened to the item before, and whether its run is
 * active, paused or being stopped.
 */
export class LookUp {
  readonly #options: LookUpOptions;

  constructor(options: LookUpOptions) {
    this.#options = options;
  }

  read(message: ReceivedMessage): ReadMessage {
    const { name } = this.#options.workflow;
    try {
      const envelope = parseEnvelope(message.body);
      if (envelope.workflow === name) {
        if (envelope.results !== true || this.#options.resultStore !== undefined)
          return { tag: "item", item: { message, envelope } };
        return { tag: "newer version", error: new NoResultStoreError(envelope.run) };
      }
      const text = `the message is of workflow "${envelope.workflow}", this is the queue of "${name}"`;
      return { tag: "foreign", error: new MalformedMessageError(text) };
    } catch (thrown) {
      const error = toError(thrown);
      return { tag: error instanceof NewerVersionError ? "newer version" : "foreign", error };
    }
  }

  /** Looks up items that were received together: one answer for each item, in the same order. Never rejects. */
  async find(items: readonly ItemMessage[]): Promise<readonly LookedUp[]> {
    const { ledger, runWatch, now } = this.#options;
    const at = now();
    // The first delivery of a message costs no read of its own.
    const known = items.filter(mayBeInLedger);
    const states = known.length === 0 ? [] : ledger.itemStates(known.map(({ envelope }) => addressOf(envelope)));
    for (const item of items) {
      const { message, envelope } = item;
      if (message.sentAt !== undefined && !mayBeInLedger(item)) runWatch.noteSent(envelope.run, message.sentAt);
    }
    const runs = [...new Set(items.map(({ envelope }) => envelope.run))];
    const [foundStates, ...foundModes] = await Promise.allSettled([states, ...runs.map((run) => runWatch.mode(run))]);
    const modes = new Map(runs.map((run, position) => [run, foundModes[position]]));
    let next = 0;
    return items.map((item): LookedUp => {
      const mode = modes.get(item.envelope.run);
      if (mode?.status !== "fulfilled") return { tag: "failed", error: mode?.reason };
      if (!mayBeInLedger(item)) return { tag: "found", state: NEVER_SEEN, mode: mode.value, at };
      if (foundStates.status === "rejected") return { tag: "failed", error: foundStates.reason };
      const state = foundStates.value[next++];
      if (state === undefined) return { tag: "failed", error: new Error("the ledger returned too few item states") };
      return { tag: "found", state, mode: mode.value, at };
    });
  }

  /** Asks the ledger about an item's run again. Never rejects. */
  async refresh({ envelope }: ItemMessage, found: Extract<LookedUp, { tag: "found" }>): Promise<LookedUp> {
    try {
      const at = this.#options.now();
      return { ...found, at, mode: await this.#options.runWatch.mode(envelope.run) };
    } catch (error) {
      return { tag: "failed", error };
    }
  }
}

/** Whether the ledger may know something of the item: its message was received, sent or redriven before. */
const mayBeInLedger = ({ message, envelope }: ItemMessage): boolean =>
  message.receiveCount > 1 || envelope.resent === true || envelope.dead !== undefined;
