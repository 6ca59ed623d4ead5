/** Why no test notices some mutants, and none should. */
export interface Reason {
  /** The end of the file's name. */
  readonly file: string;
  /** Matches `kind: original => replacement`. */
  readonly change: RegExp;
  readonly reason: string;
}

const PERFORMANCE = "Performance only: the change costs time, requests or memory, and the outcome is the same.";

export const REASONS: readonly Reason[] = [{ file: "ledger/block-row.ts", change: /hasEpochs/, reason: PERFORMANCE }];
