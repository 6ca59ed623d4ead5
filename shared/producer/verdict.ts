/** What becomes of a control message: it is done with, or comes again after a while. */
export type Verdict = { readonly tag: "done" } | { readonly tag: "wait"; readonly milliseconds: number };
