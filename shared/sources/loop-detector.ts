import { toStoredText } from "../base/exact-json.ts";

/** What is remembered of a sequence of positions: two of them, however long the sequence is. */
export interface LoopState {
  /** How many positions there were. */
  readonly count: number;
  /** The position whose number was the latest power of two (Brent's algorithm): finds loops of any period. */
  readonly far: string;
  /** The position whose number was the latest multiple of 64: finds short loops at once, however late they begin. */
  readonly near: string;
}

const NEAR_POSITIONS = 64;

/**
 * Adds a position, as text, to a sequence.
 *
 * A loop of up to 64 positions is found within 128 positions; a longer one once the sequence is about three times as
 * long as the loop and what was before it.
 *
 * @returns the state after it, or `undefined` where the position was there before: the sequence goes round in a circle.
 */
export function nextLoopState(state: LoopState | undefined, position: string): LoopState | undefined {
  if (state === undefined) return { count: 1, far: position, near: position };
  if (position === state.far || position === state.near) return undefined;
  const count = state.count + 1;
  // A power of two has one bit, which 2^53 positions never outgrow.
  const isPowerOfTwo = Number.isInteger(Math.log2(count));
  return {
    count,
    far: isPowerOfTwo ? position : state.far,
    near: count % NEAR_POSITIONS === 0 ? position : state.near,
  };
}

/** Tells when a sequence of positions comes round to one that was there before, within one process. */
export class LoopDetector {
  #state: LoopState | undefined;

  /** Whether the position was there before. */
  isRepeated(position: unknown): boolean {
    const next = nextLoopState(this.#state, toStoredText(position));
    if (next === undefined) return true;
    this.#state = next;
    return false;
  }
}
