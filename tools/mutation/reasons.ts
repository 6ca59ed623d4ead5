/** Why no test notices some mutants. */
export interface Reason {
  /** The end of the file's name. Absent: all files. */
  readonly file?: string;
  /** Matches `kind: original => replacement`. */
  readonly change: RegExp;
  readonly reason: string;
}

const PERFORMANCE = "Performance only: the change costs time, requests or memory, and the outcome is the same.";
const LOG_FIELDS = "Fields of a log line or ids of an error, which only people read.";
const DEFENCE = "A second line of defence: other code keeps this from happening.";
const BORDER = "The two sides of the border differ only at one exact value, where both outcomes are right.";

export const REASONS: readonly Reason[] = [
  { change: /^CallExpression: this\.#\w+\.clear\(\);/, reason: PERFORMANCE },
  { file: "ledger/block-row.ts", change: /hasEpochs/, reason: PERFORMANCE },
  { file: "ledger/run-counts.ts", change: /^BlockStatement: \{ totals\.push\(row\.totals\)/, reason: PERFORMANCE },
  { file: "ledger/death-count.ts", change: /MOST_REPEATED_CHECKS|checks\+\+/, reason: PERFORMANCE },
  { file: "consumer/code-watch.ts", change: /MOST_RUNS|#known\.set/, reason: PERFORMANCE },
  {
    change:
      /^ObjectLiteral: \{ (error|message: id|messages: \w+\.length|ids: \{ run: \w+ \}|run: \w+)(, \w+)*,? \} => \{\}/,
    reason: LOG_FIELDS,
  },
  {
    change: /^ObjectLiteral: \{ (run: id|messageId: message\.id|\.\.\.logFields\(.*),?.* \} => \{\}/,
    reason: LOG_FIELDS,
  },
  { file: "ledger/pages.ts", change: /vanished from the ledger/, reason: DEFENCE },
  { file: "consumer/look-up.ts", change: /too few item states/, reason: DEFENCE },
  { file: "consumer/attempts/memory-watch.ts", change: /RESIDENT|kilobytes|utf8|return undefined/, reason: DEFENCE },
  { file: "consumer/attempts/memory-watch.ts", change: /megabytes/, reason: BORDER },
  { file: "consumer/slots/refill-policy.ts", change: /left > 0/, reason: DEFENCE },
];
