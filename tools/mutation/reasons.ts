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
const SAME = "The changed code does the same for every value that can occur.";
const RANDOM = "Other random numbers, which serve as well.";
const REMOVED = "The code did nothing. It was removed after this was found.";

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

  // local/sqs
  // A comparison with `undefined` plus a number is false.
  { file: "sqs/api-actions.ts", change: /: (deleted|last) !== undefined => true/, reason: SAME },
  // An option that is `undefined` is absent.
  { file: "sqs/api-actions.ts", change: /: (destinationArn|messagesPerSecond) === undefined => false/, reason: SAME },
  {
    file: "sqs/request-input.ts",
    change: /: (\w+ === undefined|Object\.keys\(attributes\)\.length === 0) => false/,
    reason: SAME,
  },
  { file: "sqs/send-message.ts", change: /Object\.keys\((message\.)?attributes\)\.length/, reason: SAME },
  { file: "sqs/receive-messages.ts", change: /row\.attributes === null => false/, reason: SAME },
  // `...undefined` adds nothing.
  { file: "sqs/api-actions.ts", change: /\(\) => \(\{\}\) => \(\) => undefined/, reason: SAME },
  { file: "sqs/api-actions.ts", change: /store\.settings\(name\);/, reason: DEFENCE },
  { file: "sqs/api-actions.ts", change: /typeof value !== "object"|value === null|outcome/, reason: DEFENCE },
  // The queries return a row in any case.
  { file: "sqs/database.ts", change: /row\?\.value => row\.value/, reason: SAME },
  { file: "sqs/visible-messages.ts", change: /\?\.(held|n|at) => /, reason: SAME },
  { file: "sqs/queue-registry.ts", change: /\?\.n => /, reason: SAME },
  { file: "sqs/queue-store.ts", change: /left\?\.oldest => /, reason: SAME },
  { file: "sqs/queue-registry.ts", change: /was not inserted|row === undefined => false/, reason: DEFENCE },
  { file: "sqs/move-tasks.ts", change: /was not inserted|task === undefined => false/, reason: DEFENCE },
  {
    file: "sqs/database.ts",
    change: /PRAGMA|DROP INDEX|1_024|#statements\.|#sequenceEnd => true/,
    reason: PERFORMANCE,
  },
  // The texts that replace the parts of a malformed handle are no numbers of this queue either.
  { file: "sqs/receipt-handle.ts", change: /^(StringLiteral|ArrayDeclaration)/, reason: SAME },
  {
    file: "sqs/receive-messages.ts",
    change: /(count|rows\.length|taken\.length) === \w+ => false/,
    reason: PERFORMANCE,
  },
  {
    file: "sqs/receive-messages.ts",
    change: /inFlightBound \+ wanted > limits|receives\.pass|upTo|-1 =>/,
    reason: PERFORMANCE,
  },
  { file: "sqs/receive-messages.ts", change: /row\.receipt !== 0 => true|fifo => true/, reason: PERFORMANCE },
  { file: "sqs/receive-messages.ts", change: /redrive && target|target === undefined => false/, reason: SAME },
  {
    file: "sqs/in-flight-messages.ts",
    change: /sequences\.length === 0 => false|row !== undefined => true/,
    reason: SAME,
  },
  { file: "sqs/message-groups.ts", change: /group !== null => true/, reason: SAME },
  {
    file: "sqs/unwritten-receives.ts",
    change: /#ends|STALE_ENDS|this\.size|again => true|latestStoodAt/,
    reason: PERFORMANCE,
  },
  {
    file: "sqs/visible-messages.ts",
    change: /leading|receives\.pass|receives\.noGap|length === limit/,
    reason: PERFORMANCE,
  },
  {
    file: "sqs/waiters.ts",
    change: /#timers\.delete|#waiting\.has\(queue\) => false|#scheduled !== undefined/,
    reason: PERFORMANCE,
  },
  { file: "sqs/injected-faults.ts", change: /Math\.imul|0x6d2b|<= probability/, reason: RANDOM },
  { file: "sqs/injected-faults.ts", change: /probability >/, reason: PERFORMANCE },
  { file: "sqs/queue-store.ts", change: /seed: 0/, reason: RANDOM },
  { file: "sqs/sqs-service.ts", change: /seed: 0/, reason: RANDOM },
  { file: "sqs/sqs-service.ts", change: /cacheMegabytes/, reason: PERFORMANCE },
  { file: "sqs/sqs-service.ts", change: /"other" => ""/, reason: SAME },
  { file: "sqs/md5.ts", change: /a < b => a <= b/, reason: SAME },
  { file: "sqs/queue-store.ts", change: /#waiting\.delete|once: true|^BooleanLiteral: true/, reason: PERFORMANCE },

  // shared/consumer
  { file: "slots/limit-watch.ts", change: /failReport/, reason: REMOVED },
  { file: "slots/limit-watch.ts", change: /invocation\?\./, reason: DEFENCE },
  { file: "slots/limit-watch.ts", change: /ref: false|^BooleanLiteral: false => true/, reason: PERFORMANCE },
  { file: "slots/limit-watch.ts", change: /epoch > wait => epoch >= wait/, reason: BORDER },
  { file: "slots/limited-slots.ts", change: /MOST_HELD_MILLISECONDS => milliseconds </, reason: BORDER },
  // A wait without an end is longer than any patience, so that it never comes here.
  { file: "slots/limited-slots.ts", change: /start\.until < Number|start\.tag === "wait"/, reason: SAME },
  { file: "slots/intake.ts", change: /refill === undefined|refill\?\./, reason: DEFENCE },
  { file: "outcomes/recorder.ts", change: /isReady|result\.stored|result === undefined/, reason: PERFORMANCE },
  { file: "outcomes/recorder.ts", change: /unstoredBytes > MOST/, reason: BORDER },
  { file: "outcomes/recorder.ts", change: /\?\.(json|include) => /, reason: SAME },
  {
    file: "outcomes/page-groups.ts",
    change: /cancelFlush|isReady|\(\) => true|READY_SHARE|LARGE_GROUPS|writeAll/,
    reason: PERFORMANCE,
  },
  { file: "outcomes/page-groups.ts", change: /pace === this\.#pace => false|oldest\?\./, reason: SAME },
  { file: "outcomes/deleter.ts", change: /#requests\.delete/, reason: PERFORMANCE },
  { file: "outcomes/stop-check.ts", change: /#inFlight/, reason: PERFORMANCE },
  { file: "outcomes/disposal.ts", change: /<= LONGEST_SDK/, reason: BORDER },
  { file: "outcomes/item-returns.ts", change: />= .* => .* > /, reason: BORDER },
  { file: "outcomes/failed-attempts.ts", change: /> LONG_WAIT.* => .*>= LONG_WAIT/, reason: BORDER },
  { file: "outcomes/dead-lettering.ts", change: /<= LARGEST_MESSAGE_BYTES/, reason: BORDER },
  { file: "attempts/receive-history.ts", change: /latest <= now .* => latest </, reason: BORDER },
  { file: "consumer/look-up.ts", change: /mode\?\./, reason: SAME },
  { file: "consumer/run-watch.ts", change: /answer\.at > at => watched\.answer\.at >= at|answer\?\./, reason: SAME },

  // shared/ledger
  { file: "ledger/active-runs.ts", change: /MOST_MEMBERS|active\.length|is too many|"complete"/, reason: PERFORMANCE },
  { file: "ledger/active-runs.ts", change: /placeOf\(a\) <= placeOf\(b\)/, reason: SAME },
  // DynamoDB leaves out an attribute that is `undefined`, and so does an object without it.
  { change: /^ConditionalExpression: (\w+) !== undefined => true/, file: "ledger/compact-limits.ts", reason: SAME },
  { file: "ledger/same-failure.ts", change: /#noted\.size|#noted\.delete/, reason: PERFORMANCE },
  { file: "ledger/death-count.ts", change: /#tolerances\.size|MOST_RUNS/, reason: PERFORMANCE },
  // `getMany` sends no request for no keys, and divides many keys itself.
  { file: "ledger/run-counts.ts", change: / <= |MOST_BATCH_GET_KEYS/, reason: PERFORMANCE },
  { file: "ledger/run-states.ts", change: /MOST_BATCH_GET_KEYS/, reason: PERFORMANCE },
  { file: "ledger/roll-up.ts", change: /start <= blocks|MOST_BATCH_GET_KEYS/, reason: PERFORMANCE },
  { file: "ledger/block-successes.ts", change: /start <= pages/, reason: PERFORMANCE },
];
