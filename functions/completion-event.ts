import { EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import { clientConfig } from "../shared/aws/client-config.ts";
import type { RunSummary } from "../shared/definition/on-complete.ts";

/** The source and the detail type of the event. Rules in EventBridge match them. */
const SOURCE = "sluice";
const DETAIL_TYPE = "Sluice Run Ended";

/**
 * Returns a function that sends an event to an EventBridge bus when a run has ended. The detail of the event is the
 * summary of the run and the name of the stack. Several stages of a workflow can share the default bus of an account,
 * and a rule can distinguish them by the stack.
 *
 * @throws {Error} EventBridge did not accept the event.
 * @example { "source": ["sluice"], "detail": { "stack": ["sluice-prod-cities"] } } // the pattern of a rule
 */
export function completionEvents(eventBus: string, stack: string | undefined): (summary: RunSummary) => Promise<void> {
  const client = new EventBridgeClient(clientConfig());
  return async (summary) => {
    const entry = {
      EventBusName: eventBus,
      Source: SOURCE,
      DetailType: DETAIL_TYPE,
      Time: new Date(summary.completedAt),
      Detail: JSON.stringify({ ...summary, stack }),
    };
    const { Entries } = await client.send(new PutEventsCommand({ Entries: [entry] }));
    const refused = Entries?.find(({ ErrorCode }) => ErrorCode !== undefined);
    if (refused !== undefined) throw new Error(`EventBridge: ${refused.ErrorCode}: ${refused.ErrorMessage}`);
  };
}
