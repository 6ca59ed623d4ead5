/**
 * What becomes of a control message: it is done with, comes again after a while, or is left as it is, because another
 * producer has it or will get it.
 */
export type Verdict =
  | { readonly tag: "done" }
  | { readonly tag: "wait"; readonly milliseconds: number }
  | { readonly tag: "left" };
