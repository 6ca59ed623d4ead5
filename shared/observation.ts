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

let isObserved = true;

export function publish(event: AttemptEvent): void {
  if (isObserved && attempts.hasSubscribers) attempts.publish(event);
}

/** Does something of which nobody is told. Nothing else may be under way meanwhile. */
export async function unobserved(work: () => Promise<void>): Promise<void> {
  isObserved = false;
  try {
    await work();
  } finally {
    isObserved = true;
  }
}
