import type { LedgerStore } from "../aws/table.ts";
import type { Failure, Reason } from "../base/failure.ts";
import type { Json } from "../base/json.ts";
import { addWait, countWaits, type WaitRecord, type Waits } from "../base/waits.ts";
import { attemptsKey, type ItemAddress } from "../messages/item-address.ts";
import {
  type AttemptsRow,
  accountedAttribute,
  beganAttribute,
  deadLetterAttribute,
  failureAttribute,
  finalAttribute,
  type ReceiveMark,
  readAttemptsRow,
  receiveAttribute,
  suspectAttribute,
  waitCountAttribute,
  waitsAttribute,
} from "./attempts-row.ts";

/** DynamoDB limits the length of an expression to 4 KB, and its operators to 300.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html */
const REMOVED_PER_WRITE = 100;

/** How often the write of a wait is tried, if other messages of the same item record waits at the same time (rare). */
const WAIT_ROUNDS = 10;

/** Records what happened in the attempts of items, in the attempts row of each item's redrive generation. */
export class Attempts {
  readonly #store: LedgerStore;

  constructor(store: LedgerStore) {
    this.#store = store;
  }

  /**
   * Records a failed attempt under the receive count at which it happened.
   *
   * @param final Why no further attempt follows. Absent if one does.
   * @returns the failures of the item's redrive generation, in their order.
   */
  async recordFailure(
    item: ItemAddress,
    receiveCount: number,
    failure: Failure,
    final?: Reason,
  ): Promise<readonly Failure[]> {
    const { redriveGeneration } = item;
    const row = await this.#store.update(attemptsKey(item), {
      set: {
        [failureAttribute(redriveGeneration, receiveCount)]: failure as unknown as Json,
        [finalAttribute(redriveGeneration)]: final,
      },
    });
    return readAttemptsRow(row, redriveGeneration).failures;
  }

  /**
   * Records an attempt that ended in a wait. The row does not grow with the number of waits. The same write accounts for
   * all receives up to this one.
   *
   * @param before What the ledger had when the attempt began.
   * @param isSuspect Whether the item is a suspect. A suspect stays one.
   * @returns the waits. If `exceeds` is true, this wait would exceed `atMostMilliseconds`, so no further attempt follows.
   */
  async recordWait(
    item: ItemAddress,
    wait: WaitRecord,
    before: AttemptsRow,
    { atMostMilliseconds, isSuspect }: { readonly atMostMilliseconds: number; readonly isSuspect: boolean },
  ): Promise<{ readonly waits: Waits; readonly exceeds: boolean }> {
    const { redriveGeneration } = item;
    let known = before;
    for (let round = 0; round < WAIT_ROUNDS; round++) {
      const added = addWait(known.waits, wait, atMostMilliseconds);
      const row = await this.#store.update(attemptsKey(item), {
        set: {
          [waitsAttribute(redriveGeneration)]: added.waits as unknown as Json,
          [waitCountAttribute(redriveGeneration)]: countWaits(added.waits),
          ...(added.exceeds && { [finalAttribute(redriveGeneration)]: "waited too long" satisfies Reason }),
          ...accounting(item, known, wait.receive, isSuspect),
        },
        // The attempt of this receive has ended, so its mark is no longer needed.
        remove: [
          ...new Set([
            receiveAttribute(redriveGeneration, wait.receive),
            beganAttribute(redriveGeneration, wait.receive),
            ...returnedMarks(item, known),
          ]),
        ],
        when: [
          known.waits === undefined
            ? { absent: waitCountAttribute(redriveGeneration) }
            : { equals: [waitCountAttribute(redriveGeneration), countWaits(known.waits)] },
        ],
      });
      if (row !== undefined) return added;
      // A wait was recorded in between. Either another message of the item recorded its wait, or this write succeeded before
      // and its response was lost.
      known = readAttemptsRow(await this.#store.get(attemptsKey(item)), redriveGeneration);
      if (known.waits?.receive === wait.receive) {
        return { waits: known.waits, exceeds: known.final === "waited too long" };
      }
    }
    throw new Error(`the wait of item ${item.index} of page ${item.page} of run ${item.run} could not be recorded`);
  }

  /**
   * Accounts for all receives of a message up to `receive`, before a fresh message replaces it. The marks of receives at
   * which the message was put back are then no longer needed, and are removed.
   */
  async recordReplacement(item: ItemAddress, receive: number, before: AttemptsRow, isSuspect: boolean): Promise<void> {
    let known = before;
    do {
      const row = await this.#store.update(attemptsKey(item), {
        set: accounting(item, known, receive, isSuspect),
        remove: returnedMarks(item, known),
      });
      known = readAttemptsRow(row, item.redriveGeneration);
    } while (returnedMarks(item, known).length > 0);
  }

  /**
   * Records the dead letter of an item that cannot be sent, before its death is claimed. If the producer crashes after the
   * claim, another producer can then complete the death: see `Pages.cancel`.
   *
   * @param deadLetter The body of the dead letter.
   */
  async recordDeadLetter(item: ItemAddress, reason: Reason, deadLetter: string): Promise<void> {
    const { redriveGeneration } = item;
    await this.#store.update(attemptsKey(item), {
      set: { [deadLetterAttribute(redriveGeneration)]: deadLetter, [finalAttribute(redriveGeneration)]: reason },
    });
  }

  /**
   * Records what happened at a receive that has no failure. The receive is then accounted for, even if the consumer crashes
   * next. Only messages that were received before, or that are put back, need this record.
   *
   * @param beganAt When the attempt began, in milliseconds since 1970, if the mark is of an attempt.
   */
  async recordReceive(item: ItemAddress, receiveCount: number, mark: ReceiveMark, beganAt?: number): Promise<void> {
    const { redriveGeneration } = item;
    await this.#store.update(attemptsKey(item), {
      set: {
        [receiveAttribute(redriveGeneration, receiveCount)]: mark,
        [beganAttribute(redriveGeneration, receiveCount)]: beganAt,
      },
    });
  }
}

/**
 * The attributes that account for all receives up to `receive`. Another message of the item may have accounted for more. No
 * write removes the mark of a suspect.
 */
const accounting = (
  { redriveGeneration }: ItemAddress,
  { accountedTo = 0 }: AttemptsRow,
  receive: number,
  isSuspect: boolean,
): Readonly<Record<string, Json | undefined>> => ({
  [accountedAttribute(redriveGeneration)]: Math.max(accountedTo, receive),
  [suspectAttribute(redriveGeneration)]: isSuspect || undefined,
});

/** The marks of receives at which the message was put back, as many as one write can remove. */
const returnedMarks = ({ redriveGeneration }: ItemAddress, { receives }: AttemptsRow): readonly string[] =>
  [...receives]
    .filter(([, mark]) => mark === "returned")
    .slice(0, REMOVED_PER_WRITE)
    .map(([receive]) => receiveAttribute(redriveGeneration, receive));
