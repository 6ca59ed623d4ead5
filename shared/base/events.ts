import { channel } from "node:diagnostics_channel";

/**
 * An event in a consumer, or the event `died` in a producer. The function publishes it on the Node diagnostics channel
 * `sluice.attempt`. The embedded engine subscribes to this channel for its live display, and a tracer in the workflow's
 * own code can subscribe too.
 * https://nodejs.org/api/diagnostics_channel.html
 */
export type AttemptEvent =
  | { readonly event: "started" }
  /** An attempt has ended, whatever its outcome. `milliseconds` is its duration. */
  | { readonly event: "ended"; readonly milliseconds: number }
  /** The ledger has recorded `count` successes. */
  | { readonly event: "succeeded"; readonly count: number }
  /** The service refused an attempt because of load. The item waits, and no attempt is used up. */
  | { readonly event: "throttled" }
  /** The ledger has recorded a failed attempt, and another attempt follows. `failure` is the error's name and message. */
  | { readonly event: "retried"; readonly failure: string }
  /**
   * The ledger has recorded a death. A producer publishes this event for an item that cannot be sent. For a message
   * that is not an envelope, the event says that its dead letter was sent, because the ledger has no such item.
   */
  | { readonly event: "died"; readonly reason: string };

/** The name of the diagnostics channel. */
export const ATTEMPT_CHANNEL = "sluice.attempt";

/**
 * An event in a producer: it begins to read a page of the source, or a read has ended. `read` identifies the read,
 * because a source that ignores its signal may end a read later than the next one begins. The producer publishes it on
 * the diagnostics channel `sluice.source`.
 */
export interface SourceEvent {
  readonly event: "reading" | "read";
  readonly read: object;
}

/** The name of the diagnostics channel of the source. */
export const SOURCE_CHANNEL = "sluice.source";

const attempts = channel(ATTEMPT_CHANNEL);
const reads = channel(SOURCE_CHANNEL);

/** Whether events are not published, because they are not of a run's items. */
let isMuted = false;

/** Publishes an event. It does nothing if there is no subscriber. */
export function publish(event: AttemptEvent): void {
  if (attempts.hasSubscribers && !isMuted) attempts.publish(event);
}

/** Runs a function whose attempts are of no run, so their events are not published. It must end before other attempts begin. */
export async function withoutEvents(work: () => Promise<unknown>): Promise<void> {
  isMuted = true;
  try {
    await work();
  } finally {
    isMuted = false;
  }
}

/** Publishes that the read of a page begins. Returns a function that publishes its end. */
export function publishRead(): () => void {
  const read = {};
  if (reads.hasSubscribers) reads.publish({ event: "reading", read } satisfies SourceEvent);
  return () => {
    if (reads.hasSubscribers) reads.publish({ event: "read", read } satisfies SourceEvent);
  };
}
