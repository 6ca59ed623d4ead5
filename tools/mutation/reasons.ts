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
const LISTENER = "A listener or a timer stays longer than it is needed. Its event finds that nothing is left to do.";
const ANSWERED_LATER = "Another step of the same request, or the next request, does the same a moment later.";
const READ_BY_PEOPLE = "How much of a value an error message shows, or a detail of an error that only people read.";
const RANDOM = "Other random numbers, which serve as well.";

export const REASONS: readonly Reason[] = [
  { change: /^CallExpression: this\.#\w+\.clear\(\);/, reason: PERFORMANCE },
  {
    change:
      /^ObjectLiteral: \{ (error|message: id|messages: \w+\.length|ids: \{ run: \w+ \}|run: \w+)(, \w+)*,? \} => \{\}/,
    reason: LOG_FIELDS,
  },
  {
    change: /^ObjectLiteral: \{ (run: id|messageId: message\.id|\.\.\.logFields\(.*),?.* \} => \{\}/,
    reason: LOG_FIELDS,
  },

  // local/sqs
  // Each outcome of a batch has an entry.
  { file: "sqs/api-actions.ts", change: /entries\[index\]\?\.id => /, reason: SAME },
  // The URL is not used before the server listens.
  { file: "sqs/http-server.ts", change: /^StringLiteral: "" => /, reason: SAME },
  // Node closes the connection of a client that has closed its side, and the signal then fires.
  { file: "sqs/http-server.ts", change: /^ArrowFunction: \(\) => gone\.abort\(GONE\)/, reason: ANSWERED_LATER },
  // The signal of an answer that was written has no listener.
  { file: "sqs/http-server.ts", change: /!response\.writableFinished => true/, reason: PERFORMANCE },
  // Without a reply, the next line throws, and the caller closes the connection too.
  {
    file: "sqs/http-server.ts",
    change: /reply === undefined => false|^BlockStatement: \{ response\.destroy\(\); return; \}/,
    reason: ANSWERED_LATER,
  },
  // Answers wait for longer.
  { file: "sqs/http-server.ts", change: /reply\.undo !== undefined => true|=> turn <= 2/, reason: PERFORMANCE },
  // The connection of the client is closed once more.
  { file: "sqs/http-server.ts", change: /reply\.undo\?\.\(\) => /, reason: SAME },
  // Node drops what is written to a connection that is closed.
  { file: "sqs/http-server.ts", change: /response\.destroyed => false/, reason: DEFENCE },
  { file: "sqs/http-server.ts", change: /=> bytes < longestRequestBytes/, reason: BORDER },
  { file: "sqs/injected-faults.ts", change: /Math\.imul|0x6d2b|\(\) <= this\.#settings/, reason: RANDOM },
  { file: "sqs/queue-store.ts", change: /seed: 0/, reason: RANDOM },
  { file: "sqs/sqs-service.ts", change: /seed: 0/, reason: RANDOM },
  // No two attributes and no two queues have the same name.
  { file: "sqs/md5.ts", change: /a < b => a <= b/, reason: SAME },
  { file: "sqs/queue-registry.ts", change: /a\.name < b\.name => a\.name <= b\.name/, reason: SAME },
  // A map returns `undefined` for the key `undefined`.
  { file: "sqs/queue-registry.ts", change: /name === undefined => false/, reason: SAME },
  // The memory of what has ended.
  { file: "sqs/move-tasks.ts", change: /#paces\.delete/, reason: PERFORMANCE },
  { file: "sqs/queue-store.ts", change: /#waiting\.delete/, reason: PERFORMANCE },
  { file: "sqs/waiters.ts", change: /#timers\.delete/, reason: PERFORMANCE },
  // Each task that runs has a pace.
  { file: "sqs/move-tasks.ts", change: /pace === undefined => false/, reason: DEFENCE },
  // The parts of a malformed handle are then missing too.
  { file: "sqs/receipt-handle.ts", change: /^ArrayDeclaration: \[\] =>/, reason: SAME },
  // Nothing is then delivered.
  { file: "sqs/receive-messages.ts", change: /rows\.length === 0 => false/, reason: PERFORMANCE },
  // The receives of a FIFO queue are kept in memory until they are written, a moment later.
  { file: "sqs/receive-messages.ts", change: /!queue\.fifo => true/, reason: PERFORMANCE },
  // All kinds but `send` are treated as one.
  { file: "sqs/sqs-service.ts", change: /"other" => ""/, reason: SAME },
  // How often the heap is built again.
  { file: "sqs/unwritten-receives.ts", change: /#ends\.length|STALE_ENDS|2 \* this\.size/, reason: PERFORMANCE },
  { file: "sqs/unwritten-receives.ts", change: /new TinyQueue\(.* => \{\}/, reason: PERFORMANCE },
  // The same time and the same place replace themselves.
  { file: "sqs/unwritten-receives.ts", change: /=> receive\.stoodAt >= this\.#latestStoodAt/, reason: SAME },
  { file: "sqs/unwritten-receives.ts", change: /=> byPlace\(place, this\.#passed\) < 0/, reason: SAME },
  // The receives in memory are counted, and none stands after this time.
  { file: "sqs/unwritten-receives.ts", change: /#latestStoodAt <= now => (false|.* < now)/, reason: PERFORMANCE },
  { file: "sqs/unwritten-receives.ts", change: /#gaps\.size === 0 => false/, reason: PERFORMANCE },
  // No message has a text as its sequence number.
  { file: "sqs/unwritten-receives.ts", change: /^ArrayDeclaration: \[\] =>/, reason: SAME },
  // Fewer rows than the limit are read in this case.
  { file: "sqs/visible-messages.ts", change: /: last === undefined => false/, reason: SAME },
  // Without a number, each caller is offered messages, as with this one.
  { file: "sqs/waiters.ts", change: /fails with the same error/, reason: SAME },

  // All folders
  // The listener of an AbortSignal that has fired, or that nobody fires any more.
  { change: /: \{ once: true \} =>|removeEventListener\("abort"/, reason: LISTENER },
  { change: /: \{ cause(: [\w.]+)? \} => \{\}/, reason: READ_BY_PEOPLE },

  // shared/producer
  // `toItemJson` and `envelopeBody` throw nothing but an `ItemError`.
  { file: "producer/sender.ts", change: /instanceof ItemError => true/, reason: DEFENCE },
  { file: "producer/serialised.ts", change: /instanceof ItemError => true/, reason: DEFENCE },
  // `RunStopping` begins at the first page of the run if no page is given.
  { file: "producer/stopping.ts", change: /\{ partition: 0, pages: 0 \} => \{\}/, reason: SAME },

  // shared/ledger
  // Any text serves that the row did not have before.
  { file: "ledger/active-runs.ts", change: /^StringLiteral: "" =>/, reason: SAME },
  // A run is in the list once, so no two places are equal.
  { file: "ledger/active-runs.ts", change: /placeOf\(a\) <= placeOf\(b\)/, reason: SAME },
  // The reason of a death and its dead letter are written together.
  { file: "ledger/pages.ts", change: /: final === undefined => false/, reason: DEFENCE },
  // `sort` puts what is undefined behind everything else.
  { file: "ledger/run-overview.ts", change: /filter\(\(value\) =>|: value !== undefined => true/, reason: SAME },
  // The roll-up does nothing for a run of which something is left to do. A run of which nothing is left ends in its next slice.
  { file: "ledger/run-progress.ts", change: /: run\.completedAt !== undefined => true/, reason: ANSWERED_LATER },
  // The list that was read is not empty here.
  { file: "ledger/run-states.ts", change: /: listed\.at\(-1\)\?\.sk =>/, reason: SAME },
  // The run is read again, and found to be stopped.
  { file: "ledger/run-states.ts", change: /: run !== undefined => false/, reason: PERFORMANCE },

  // shared/consumer
  // A success has no kind.
  { file: "attempts/attempt.ts", change: /: outcome\.tag === "failed" => true/, reason: SAME },
  { file: "attempts/memory-watch.ts", change: /: megabytes <= limitMb => megabytes </, reason: BORDER },
  // The expression turns a buffer into the same text, and a function without `return` returns `undefined`.
  { file: "attempts/memory-watch.ts", change: /: "utf8" => ""|: \{ return undefined; \} =>/, reason: SAME },
  // Nothing is known of receives before the first one.
  { file: "attempts/receive-history.ts", change: /: receiveOf\(item\) === 1 => false/, reason: PERFORMANCE },
  // The error is caught, and means that nothing has changed. Without a version, nothing is asked.
  { file: "consumer/code-watch.ts", change: /: run\?\.codeVersion => |: to === undefined => false/, reason: SAME },
  // Only `batch` is compared.
  { file: "consumer/consumer.ts", change: /: "receive" => ""/, reason: SAME },
  // Each item has a result.
  { file: "consumer/consumer.ts", change: /: found !== undefined => true/, reason: SAME },
  // An answer about a run is kept for longer, so the second look-up of a message sends no request.
  {
    file: "consumer/consumer.ts",
    change: /RUN_ANSWER_HOLDS_MILLISECONDS => (true|.* >= )|: this\.#options\.now\(\) - at => /,
    reason: PERFORMANCE,
  },
  // The states of no items are not read, and each run has a mode.
  { file: "consumer/look-up.ts", change: /^ArrayDeclaration: \[\] =>|: mode\?\./, reason: SAME },
  // The requests of one invocation stay in memory until its end.
  { file: "outcomes/deleter.ts", change: /#requests\.delete/, reason: PERFORMANCE },
  // A comparison with NaN is false.
  { file: "outcomes/item-returns.ts", change: /: message\.sentAt === undefined => false/, reason: SAME },
  // The timer fires only while a group is open.
  { file: "outcomes/page-groups.ts", change: /: oldest !== undefined => true/, reason: DEFENCE },
  { file: "outcomes/recorder.ts", change: />= MOST_UNSTORED_BYTES => .* > /, reason: BORDER },
  // Only a workflow with results has a store, and only with a store is a message with a result attempted.
  {
    file: "outcomes/recorder.ts",
    change: /results\?\.include => |^ArrayDeclaration: \[\] =>|: this\.#results\?\.add => /,
    reason: DEFENCE,
  },
  // An item comes from JSON, so it has a text.
  { file: "outcomes/recorder.ts", change: /toExactText\(envelope\.item\)\?\.json => /, reason: SAME },
  // A mode is valid only if there is an answer.
  { file: "consumer/run-watch.ts", change: /: watched\.answer\?\.at => /, reason: SAME },
  // Of two requests that began in the same millisecond, either answer may be the newer one.
  { file: "consumer/run-watch.ts", change: /: watched\.answer\.at > at => watched\.answer\.at >= at/, reason: BORDER },
  // While a request is in flight, the next one waits for its answer.
  { file: "slots/intake.ts", change: /: this\.#polls\.size > 0 => false/, reason: PERFORMANCE },
  { file: "slots/intake.ts", change: /: refill\?\.visibilityTimeoutSeconds => /, reason: DEFENCE },
  // A process that ends at once waits for half a second.
  {
    file: "slots/limit-watch.ts",
    change: /^ObjectLiteral: \{ ref: false \} =>|^BooleanLiteral: false => true/,
    reason: PERFORMANCE,
  },
  { file: "slots/limit-watch.ts", change: /< PERIOD_MILLISECONDS => .* <= /, reason: BORDER },
  // Either result is the same number.
  { file: "slots/limit-watch.ts", change: /: epoch > wait => epoch >= wait/, reason: SAME },
  // `LimitedSlots` ends its timers before it ends the invocation.
  { file: "slots/limit-watch.ts", change: /: this\.#invocation === undefined => false/, reason: DEFENCE },
  // Only an invocation sends updates.
  { file: "slots/limit-watch.ts", change: /: invocation\?\.(wanted|onChange) => /, reason: DEFENCE },
  // The list of an environment's shares is never empty.
  { file: "slots/limit-watch.ts", change: /\.at\(-1\)\?\.perSecond => /, reason: SAME },
  // Without a share, the start has no time, and a comparison with `undefined` is false.
  { file: "slots/limited-slots.ts", change: /: case "no share": .* =>|: start\.tag === "wait" => true/, reason: SAME },
  {
    file: "slots/limited-slots.ts",
    change: /<= LAST_MESSAGES_MILLISECONDS => .* < |: milliseconds <= 0 => .* < 0/,
    reason: BORDER,
  },
];
