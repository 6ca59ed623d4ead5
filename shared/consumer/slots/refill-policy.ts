import { MOST_RECEIVED_MESSAGES } from "../../aws/quotas.ts";

/** The slots of a consumer and the messages that it has, as far as they decide how many more it receives. */
export interface SlotState {
  readonly now: number;
  /** How many slots there are. */
  readonly slots: number;
  /** How many messages should wait for their start. `undefined`: no rate is in force, so that only slots count. */
  readonly stock?: number | undefined;
  /** Whether this environment has a share of a limit that leaves others none. */
  readonly holdsShare?: boolean | undefined;
  /** Attempts that run. Each has a slot. */
  readonly attempting: number;
  /** Messages that the consumer has, and that may still need a slot. */
  readonly withoutSlot: number;
  /** Whether a source is read, so that more messages may be sent at any moment. */
  readonly isProducing: boolean;
  /** How long attempts take, on average. */
  readonly meanMilliseconds: number;
}

export interface RefillState extends SlotState {
  /** Requests in flight. */
  readonly polls: number;
  /** The messages that the requests in flight ask for, in total. */
  readonly requested: number;
  /** Whether messages may be received before a slot is free for them. */
  readonly mayPrefetch: boolean;
  /** Whether the latest request or batch brought few messages. */
  readonly isQueueLow: boolean;
  /** Whether no slot has become free for a while. Default: false. */
  readonly isQuiet?: boolean;
}

/** The most requests in flight at once. One is not enough for many slots or short tasks. */
export const MOST_POLLS = 5;

/** How long a message that was received before its slot was free should wait at most. */
const LONGEST_WAIT_MILLISECONDS = 1_000;

/** Whether messages are in hand that the invocation must wait for anyway. */
export const isBusy = ({ attempting, withoutSlot }: SlotState): boolean => attempting + withoutSlot > 0;

/**
 * How many messages to receive now: one number for each request.
 *
 * First come messages for free slots, less those that are in hand or requested. Then come messages to prefetch, so that
 * a slot which becomes free need not wait for a request. If the queue holds few messages, the consumer receives only
 * for free slots, with one request at a time, because a message that waits here could have a free slot in another
 * environment.
 *
 * @example messagesToReceive({ ...tenSlots, attempting: 7, isQueueLow: true }) // [3]
 */
export function messagesToReceive(state: RefillState): readonly number[] {
  const { polls, isQueueLow, holdsShare = false } = state;
  let free = missing(state);
  if (isQueueLow && holdsShare) return manyRequests(free, polls);
  if (isQueueLow) return polls === 0 && free > 0 ? [Math.min(MOST_RECEIVED_MESSAGES, free)] : [];
  // What `missing` returns contains what is to be prefetched at a rate, or with a share.
  const prefetch = state.mayPrefetch && state.stock === undefined && !holdsShare ? prefetchLimit(state) : 0;
  // Requests for less than ten messages cost as much as full ones. So a request to prefetch waits until there is room for
  // all of its messages, or a slot without a message. When nothing happens, the stock is filled up: slots that took their
  // messages at the same time become free at the same time, and then each needs a message at once.
  const due = Math.max(0, prefetch - (state.isQuiet === true ? 1 : MOST_RECEIVED_MESSAGES));
  const requests: number[] = [];
  while (-free <= due && polls + requests.length < MOST_POLLS) {
    const max = Math.min(MOST_RECEIVED_MESSAGES, free + prefetch);
    if (max <= 0) break;
    requests.push(max);
    free -= max;
  }
  return requests;
}

/**
 * If others hide their messages, few messages are visible, and environments without a share ask for them, too. Several small
 * requests then receive more of them than one large request.
 */
function manyRequests(free: number, polls: number): readonly number[] {
  const requests: number[] = [];
  for (let left = MOST_POLLS - polls; left > 0 && free > 0; left--) {
    const max = Math.min(MOST_RECEIVED_MESSAGES, Math.ceil(free / left));
    requests.push(max);
    free -= max;
  }
  return requests;
}

/**
 * How many more messages slots are free for, or how many more should wait for their start. An environment that has a share always
 * prefetches: while others hide their messages, a slot that becomes free would wait for one for long.
 */
function missing(state: RefillState): number {
  const { slots, attempting, withoutSlot, requested, stock, holdsShare = false } = state;
  if (stock !== undefined) return stock - withoutSlot - requested;
  const free = slots - attempting - withoutSlot - requested;
  return holdsShare ? free + prefetchLimit(state) : free;
}

/**
 * How many messages may be prefetched. There are never more than slots, because prefetched messages become suspects together
 * with the running ones if the process ends (`docs/internals/poison.md`).
 */
function prefetchLimit({ slots, meanMilliseconds }: SlotState): number {
  const takenInTime = Math.round((slots * LONGEST_WAIT_MILLISECONDS) / Math.max(1, meanMilliseconds));
  return Math.min(slots, takenInTime, (MOST_POLLS - 1) * MOST_RECEIVED_MESSAGES);
}
