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
const UNDEFINED = "A key whose value is `undefined` counts as absent, for the table and in JSON.";
const READ_BY_PEOPLE = "How much of a value an error message shows, or a detail of an error that only people read.";
const RANDOM = "Other random numbers, which serve as well.";
const REMOVED = "The code did nothing. It was removed after this was found.";

export const REASONS: readonly Reason[] = [
  { change: /^CallExpression: this\.#\w+\.clear\(\);/, reason: PERFORMANCE },
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
  { file: "consumer/look-up.ts", change: /too few item states/, reason: DEFENCE },
  { file: "consumer/attempts/memory-watch.ts", change: /RESIDENT|kilobytes|utf8|return undefined/, reason: DEFENCE },
  { file: "consumer/attempts/memory-watch.ts", change: /megabytes/, reason: BORDER },
  { file: "consumer/slots/refill-policy.ts", change: /left > 0/, reason: DEFENCE },

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

  // shared/consumer
  { file: "attempts/attempt.ts", change: /advertisedPerSecond !== undefined => true/, reason: UNDEFINED },
  // The value that an attempt which was aborted or timed out fails with asks for no wait.
  { file: "attempts/attempt.ts", change: /outcome\.(tag|kind)/, reason: DEFENCE },
  { file: "attempts/attempt.ts", change: /completion !== undefined|completion === undefined/, reason: SAME },
  { file: "attempts/attempt.ts", change: /\{ fieldsFrom \}/, reason: READ_BY_PEOPLE },
  // Each end but a success is a failure.
  { file: "attempts/isolation-process.ts", change: /"failed" => ""/, reason: SAME },
  { file: "attempts/receive-history.ts", change: /mark !== "failed"|"failed" => ""|^ArrayDeclaration/, reason: SAME },
  { file: "attempts/receive-history.ts", change: /receiveOf\(item\) === 1 => false/, reason: PERFORMANCE },
  { file: "attempts/item-attempts.ts", change: /partition/, reason: LOG_FIELDS },
  // Without a version there is no change, whatever is remembered.
  { file: "consumer/code-watch.ts", change: /#version === undefined|to === undefined|run === undefined/, reason: SAME },
  { file: "consumer/code-watch.ts", change: /run\?\.codeVersion/, reason: DEFENCE },
  { file: "consumer/consumer.ts", change: /"(soon|together)" => ""|setPace|#meanDuration\.add/, reason: PERFORMANCE },
  {
    file: "consumer/consumer.ts",
    change: /noteBatch|isQueueLow|mostWaiting|meanDuration\.milliseconds \?\? 0/,
    reason: PERFORMANCE,
  },
  {
    file: "consumer/consumer.ts",
    change: /endedAt [-+] outcome\.startedAt|refill\?\.waitingMilliseconds/,
    reason: PERFORMANCE,
  },
  { file: "consumer/consumer.ts", change: /stock|usableSlots > ?=? ?0|#intake\.plan/, reason: PERFORMANCE },
  {
    file: "consumer/consumer.ts",
    change: /RUN_ANSWER_HOLDS_MILLISECONDS => (true|.* >= )|now\(\) \+ at/,
    reason: PERFORMANCE,
  },
  { file: "consumer/consumer.ts", change: /#changed\(\)|#intake\.end\(\);/, reason: ANSWERED_LATER },
  { file: "consumer/consumer.ts", change: /#isRetired => false|failures === state\.failures => false/, reason: SAME },
  {
    file: "consumer/consumer.ts",
    change: /found !== undefined => true|items\.length (> 0 => true|> 0 => .* >= 0)/,
    reason: SAME,
  },
  { file: "consumer/consumer.ts", change: /tag: "unused"|"unused" =>/, reason: SAME },
  { file: "consumer/consumer.ts", change: /\?\.visibilityTimeoutSeconds => /, reason: DEFENCE },
  {
    file: "consumer/consumer.ts",
    change: /keeps the queue's visibility timeout|could not be settled/,
    reason: LOG_FIELDS,
  },
  { file: "consumer/messages-in-hand.ts", change: /state === "waiting" => true/, reason: SAME },
  // The result is compared with `not needed` only.
  { file: "outcomes/dead-lettering.ts", change: /dead-lettered/, reason: SAME },
  // Without the option, Lambda deletes the messages. With it, they are deleted already.
  { file: "outcomes/disposal.ts", change: /deletesBatch => false/, reason: PERFORMANCE },
  { file: "outcomes/disposal.ts", change: /messageId: message\.id|could not be scheduled/, reason: LOG_FIELDS },
  { file: "outcomes/failed-attempts.ts", change: /failures\.length (>=|>) workflow/, reason: DEFENCE },
  { file: "outcomes/final-reason.ts", change: /made (>=|>) most/, reason: DEFENCE },
  { file: "outcomes/item-deaths.ts", change: /TOLERANCE_UNKNOWN|logFields/, reason: LOG_FIELDS },
  // A comparison with NaN is false.
  { file: "outcomes/item-returns.ts", change: /sentAt === undefined => false/, reason: SAME },
  { file: "outcomes/next-step.ts", change: /beginsBy !== undefined => true/, reason: SAME },
  {
    file: "outcomes/recorder.ts",
    change: /#results === undefined => false|\?\? \[\]|results\.include/,
    reason: DEFENCE,
  },
  { file: "outcomes/recorder.ts", change: /#cancellations\.setPace/, reason: PERFORMANCE },
  { file: "outcomes/recorder.ts", change: /logFields/, reason: LOG_FIELDS },
  { file: "outcomes/tolerance-watch.ts", change: /^BooleanLiteral: false => true/, reason: PERFORMANCE },
  {
    file: "consumer/run-watch.ts",
    change: /request === begun => true|\?\.at => |at <= this\.#now\(\) => true/,
    reason: DEFENCE,
  },
  { file: "consumer/run-watch.ts", change: /^BooleanLiteral: false => true/, reason: ANSWERED_LATER },
  { file: "slots/backlog-watch.ts", change: /Without an answer nothing is prefetched/, reason: PERFORMANCE },
  {
    file: "slots/intake.ts",
    change: /#isPlanned|#backlog\.end|#polls\.size > 0|length === 0 => false/,
    reason: PERFORMANCE,
  },
  {
    file: "slots/intake.ts",
    change: /!this\.#isUseful\(state\) => false|holdsShare|^BooleanLiteral/,
    reason: ANSWERED_LATER,
  },
  { file: "slots/intake.ts", change: /\?\.visibilityTimeoutSeconds => /, reason: DEFENCE },
  // A number is never below `undefined`.
  { file: "slots/limit-in-force.ts", change: /slots === undefined => false/, reason: SAME },
  {
    file: "slots/limit-watch.ts",
    change: /isRefused\(epochAt\) => true|next (===|!==) undefined/,
    reason: ANSWERED_LATER,
  },
  { file: "slots/limit-watch.ts", change: /clearTimeout|^BooleanLiteral: true => false/, reason: LISTENER },
  { file: "slots/limit-watch.ts", change: /#invocation === undefined|isInRow => true|limit\.resume/, reason: DEFENCE },
  { file: "slots/limit-watch.ts", change: /\.at\(-1\)\?\.perSecond/, reason: SAME },
  { file: "slots/refill-policy.ts", change: /MOST_POLLS [-+] 1|requested/, reason: PERFORMANCE },
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
  { file: "consumer/consumer.ts", change: /\{ messageId, error \} => \{\}/, reason: LOG_FIELDS },
  // Lambda deletes the messages at the end of the invocation.
  { file: "consumer/consumer.ts", change: /refill !== undefined => false/, reason: PERFORMANCE },
  // Outcomes are then written sooner, and in smaller groups.
  {
    file: "consumer/consumer.ts",
    change: /#messages\.in\("(attempting|waiting)"\) > 0|: "(attempting|waiting)" => ""/,
    reason: PERFORMANCE,
  },
  { file: "consumer/consumer.ts", change: /2 \* this\.#usableSlots/, reason: PERFORMANCE },
  // Only `batch` is compared.
  { file: "consumer/consumer.ts", change: /: "receive" => ""/, reason: SAME },
  { file: "consumer/look-up.ts", change: /^ArrayDeclaration: \[\] =>/, reason: SAME },
  { file: "outcomes/page-groups.ts", change: /^BooleanLiteral: true => false/, reason: SAME },
  // Sending asks the same again.
  { file: "slots/intake.ts", change: /#mayPrefetch\(state\) => true/, reason: SAME },
  { file: "slots/intake.ts", change: /clearTimeout\(this\.#quiet\)/, reason: LISTENER },
  { file: "outcomes/page-groups.ts", change: /clearImmediate/, reason: LISTENER },
  { file: "slots/limited-slots.ts", change: /heldUntil > now\(\) => /, reason: BORDER },
  { file: "outcomes/recorder.ts", change: /^ArrayDeclaration: \[\] =>/, reason: DEFENCE },
];
