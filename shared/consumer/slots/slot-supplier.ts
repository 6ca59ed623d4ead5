/**
 * Decides which message's attempt may start now. Every limit on starts is a slot supplier. Several limits are combined
 * into one supplier that reserves from each of them, so the smallest limit wins.
 *
 * @example
 * const reservation = await supplier.reserve();
 * if (reservation.tag === "refused") return { hideUntil: reservation.hideUntil };
 * let use: SlotUse = { tag: "unused" };
 * try {
 *   use = await attempt();
 * } finally {
 *   reservation.slot.release(use);
 * }
 */
export interface SlotSupplier {
  /** How many attempts may be in flight in this environment now. */
  readonly size: number;
  /** How many messages to have in hand that wait for their start. `undefined`: no rate is in force, so only slots count. */
  readonly stock?: number | undefined;
  /**
   * Whether this environment has a share of a limit that leaves others none. Then it must get enough messages although others
   * hide theirs, and it works until its time is over, because a share that is given up is not used for a while.
   */
  readonly holdsShare?: boolean;
  /** Begins the invocation: from now on, the supplier may ask how many slots it can use, and says when that may be more. */
  begin?(invocation: { readonly wanted: () => number; readonly onChange: () => void }): void;
  /** Ends the invocation. All slots are released before. Never rejects. */
  end?(): Promise<void>;
  /**
   * Reserves a slot. It waits while all slots are taken, or while the next start is not due yet; callers are served in the
   * order of their calls. Never rejects.
   */
  reserve(): Promise<Reservation>;
}

export type Reservation =
  | { readonly tag: "reserved"; readonly slot: Slot }
  /**
   * The wait for a slot is longer than a message in hand can wait. The message returns to the queue until `hideUntil`
   * (in the clock's milliseconds). This does not count as a failure of its item.
   */
  | { readonly tag: "refused"; readonly hideUntil: number };

/** Permission to make one attempt. */
export interface Slot {
  /** Gives the slot back, and says how it was used. Call it in `finally`. Further calls change nothing. */
  release(use: SlotUse): void;
}

/** How a slot was used. */
export type SlotUse =
  /** No attempt was made in it, so it does not count as a start. */
  | { readonly tag: "unused" }
  | ({ readonly tag: "succeeded"; readonly durationMilliseconds: number } & Advertised)
  /** The service refused the attempt because of load. */
  | ({
      readonly tag: "throttled";
      readonly durationMilliseconds: number;
      /** How long the service asks to wait. `undefined` if it does not say. */
      readonly retryAfterMilliseconds: number | undefined;
    } & Advertised)
  /** It ended in any other way: with an error, a timeout, or a wait that concerns only this item. */
  | ({ readonly tag: "failed"; readonly durationMilliseconds: number } & Advertised);

interface Advertised {
  /** The starts per second that the headers of the attempt's responses leave to the fleet. */
  readonly advertisedPerSecond?: number | undefined;
}
