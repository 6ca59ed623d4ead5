import { endpointFrom } from "../shared/aws/regional-endpoint.ts";
import { signedRequest } from "../shared/aws/signed-request.ts";
import type { RunSummary } from "../shared/definition/on-complete.ts";

/** The source and the detail type of the event. Rules in EventBridge match them. */
const SOURCE = "sluice";
const DETAIL_TYPE = "Sluice Run Ended";

/**
 * Returns a function that sends an event to an EventBridge bus when a run has ended. The detail of the event is the
 * summary of the run and the name of the stack. Several stages of a workflow can share the default bus of an account,
 * and a rule can distinguish them by the stack.
 *
 * A request that EventBridge throttles, or that gets no answer, is repeated. So a rule may get an event twice.
 * https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
 *
 * @throws {Error} EventBridge did not accept the event.
 * @example { "source": ["sluice"], "detail": { "stack": ["sluice-prod-cities"] } } // the pattern of a rule
 */
export function completionEvents(
  eventBus: string,
  stack: string | undefined,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): (summary: RunSummary) => Promise<void> {
  return async (summary) => {
    const { AWS_REGION: region = "" } = environment;
    const entry = {
      EventBusName: eventBus,
      Source: SOURCE,
      DetailType: DETAIL_TYPE,
      // Seconds since 1970.
      Time: Date.parse(summary.completedAt) / 1_000,
      Detail: JSON.stringify({ ...summary, stack }),
    };
    const { Entries } = (await signedRequest({
      service: "events",
      target: "AWSEvents.PutEvents",
      region,
      endpoint: endpointFrom(environment, { service: "events", variable: "EVENTBRIDGE", region }),
      body: { Entries: [entry] },
    })) as PutEventsResponse;
    const refused = Entries?.find(({ ErrorCode }) => ErrorCode !== undefined);
    if (refused !== undefined) throw new Error(`EventBridge: ${refused.ErrorCode}: ${refused.ErrorMessage}`);
  };
}

interface PutEventsResponse {
  readonly Entries?: readonly { readonly ErrorCode?: string; readonly ErrorMessage?: string }[];
}
