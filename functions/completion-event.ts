import { EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import { clientConfig } from "../shared/aws/client-config.ts";
import type { RunSummary } from "../shared/completion.ts";

/** How rules find it. */
const SOURCE = "sluice";
const DETAIL_TYPE = "Sluice Run Ended";

/**
 * Tells an EventBridge bus that a run has ended. The event's detail is the run's summary.
 *
 * @throws {Error} The bus did not take it.
 */
export function completionEvents(eventBus: string): (summary: RunSummary) => Promise<void> {
  const client = new EventBridgeClient(clientConfig());
  return async (summary) => {
    const entry = {
      EventBusName: eventBus,
      Source: SOURCE,
      DetailType: DETAIL_TYPE,
      Time: new Date(summary.completedAt),
      Detail: JSON.stringify(summary),
    };
    const { Entries } = await client.send(new PutEventsCommand({ Entries: [entry] }));
    const refused = Entries?.find(({ ErrorCode }) => ErrorCode !== undefined);
    if (refused !== undefined) throw new Error(`EventBridge: ${refused.ErrorCode}: ${refused.ErrorMessage}`);
  };
}
