/**
 * What happens to a control message after a producer has handled it.
 *
 * - `done`: the message is deleted.
 * - `wait`: the message is hidden for `milliseconds`, and SQS delivers it again.
 * - `left`: the message stays unchanged, because another producer has it or will receive it.
 */
export type Verdict =
  | { readonly tag: "done" }
  | { readonly tag: "wait"; readonly milliseconds: number }
  | { readonly tag: "left" };

/** The message is deleted. */
export const DONE: Verdict = { tag: "done" };
/** The message stays unchanged. */
export const LEFT: Verdict = { tag: "left" };
