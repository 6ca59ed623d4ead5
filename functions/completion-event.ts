import { EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import { clientConfig } from "../shared/aws/client-config.ts";
import type { RunSummary } from "../shared/definition/completion.ts";

/** How rules find it. */
const SOURCE = "sluice";
const DETAIL_TYPE = "Sluice Run Ended";

/**
 * Tells an EventBridge bus that a run has ended. The event's detail is the run's summary with the name of the stack:
 * several stages of a workflow may share an account's default bus, and a rule must be able to tell them apart.
 *
 * @throws {Error} The bus did not take it.
 * @example { "source": ["sluice"], "detail": { "stack": ["sluice-prod-cities"] } } // a rule's pattern
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
