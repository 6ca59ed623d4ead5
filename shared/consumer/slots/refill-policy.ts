import { MOST_RECEIVED_MESSAGES } from "../../aws/quotas.ts";

/** The slots of a consumer, as its refilling sees them. */
export interface SlotState {
  readonly now: number;
  readonly slots: number;
  /** Slots that are taken. */
  readonly underWay: number;
  /** Whether anything is under way that must be waited for anyway. */
  readonly running: boolean;
  /** Whether a source is still read whose items may come any moment. */
  readonly producing: boolean;
  /** Messages at hand that wait for a slot. */
  readonly inHand: number;
  /** How long an attempt took lately. */
  readonly meanMilliseconds: number;
}

export interface RefillState extends SlotState {
  /** Requests under way, and the messages that they ask for. */
  readonly polls: number;
  readonly asked: number;
  /** Whether messages may be received that no slot is free for yet. */
  readonly mayStock: boolean;
  /** The queue gave little when it was last asked. */
  readonly dry: boolean;
}

/** Requests under way at once, for many slots or short tasks. */
export const MOST_POLLS = 5;

/** Messages in hand wait about so long at the most: a slot that becomes free takes one of them. */
const LONGEST_WAIT_MILLISECONDS = 1_000;

/**
 * How many messages to ask for now: one number a request.
 *
 * Asked for at first are messages for the slots that are free, less those that are on their way. Then messages to have in
 * hand, so that a slot that becomes free need not wait for a request. From a queue that gives little, nothing is taken but
 * for free slots, by one request at a time: what lies here waits while another environment's slots are free.
 */
export function messagesToAskFor(state: RefillState): readonly number[] {
  const { slots, underWay, inHand, asked, polls, dry } = state;
  let free = slots - underWay - inHand - asked;
  if (dry) return polls === 0 && free > 0 ? [Math.min(MOST_RECEIVED_MESSAGES, free)] : [];
  const stock = state.mayStock ? stockLimit(state) : 0;
  // Whole requests: the next one is due when there is room for it, or a slot without a message.
  const due = Math.max(0, stock - MOST_RECEIVED_MESSAGES);
  const requests: number[] = [];
  while (-free <= due && polls + requests.length < MOST_POLLS) {
    const max = Math.min(MOST_RECEIVED_MESSAGES, free + stock);
    if (max <= 0) break;
    requests.push(max);
    free -= max;
  }
  return requests;
}

/**
 * How many messages may wait in hand: no more than run, as they become suspects with these if the process dies
 * (`docs/internals/poison.md`).
 */
function stockLimit({ slots, meanMilliseconds }: SlotState): number {
  const soonTaken = Math.round((slots * LONGEST_WAIT_MILLISECONDS) / Math.max(1, meanMilliseconds));
  return Math.min(slots, soonTaken, (MOST_POLLS - 1) * MOST_RECEIVED_MESSAGES);
}
