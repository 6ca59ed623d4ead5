import { channel } from "node:diagnostics_channel";

/**
 * What a consumer does, as it does it: published on the Node diagnostics channel `sluice.attempt`, for tracers and for
 * the live display of the embedded engine. Nobody listens on Lambda unless the workflow's own code does.
 */
export type AttemptEvent =
  | { readonly event: "started" }
  /** The attempt has ended, one way or another. */
  | { readonly event: "ended" }
  /** These are recorded in the ledger. */
  | { readonly event: "succeeded"; readonly count: number }
  | { readonly event: "retried" }
  | { readonly event: "died"; readonly reason: string };

export const ATTEMPT_CHANNEL = "sluice.attempt";

const attempts = channel(ATTEMPT_CHANNEL);

export function publish(event: AttemptEvent): void {
  if (attempts.hasSubscribers) attempts.publish(event);
}
