import { toStoredText } from "../base/exact-json.ts";

/**
 * What the loop detection remembers about a sequence of positions. It remembers only two positions, however long the
 * sequence is.
 */
export interface LoopState {
  /** How many positions the sequence has. */
  readonly count: number;
  /**
   * The position whose number is the latest power of two (Brent's algorithm). This position finds loops of any length.
   */
  readonly far: string;
  /**
   * The position whose number is the latest multiple of 64. This position finds short loops soon, however late they
   * begin.
   */
  readonly near: string;
}

const NEAR_POSITIONS = 64;

/**
 * Adds a position, as text, to a sequence.
 *
 * A loop of up to 64 positions is found at most 128 positions after its start. For a longer loop, add the number of its
 * positions to the number of positions before it: the loop is found after at most about three times this sum.
 *
 * @returns the new state, or `undefined` if the position occurred before, which means that the sequence is a loop.
 */
export function nextLoopState(state: LoopState | undefined, position: string): LoopState | undefined {
  if (state === undefined) return { count: 1, far: position, near: position };
  if (position === state.far || position === state.near) return undefined;
  const count = state.count + 1;
  // The logarithm of a power of two is a whole number. It is exact here, because no sequence has 2^53 positions.
  const isPowerOfTwo = Number.isInteger(Math.log2(count));
  return {
    count,
    far: isPowerOfTwo ? position : state.far,
    near: count % NEAR_POSITIONS === 0 ? position : state.near,
  };
}

/** Detects, within one process, when a sequence of positions returns to an earlier position. */
export class LoopDetector {
  #state: LoopState | undefined;

  /** Adds a position, and returns whether it occurred before. */
  isRepeated(position: unknown): boolean {
    const next = nextLoopState(this.#state, toStoredText(position));
    if (next === undefined) return true;
    this.#state = next;
    return false;
  }
}
