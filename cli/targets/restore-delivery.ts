import type { AwsAccount } from "./aws-client-config.ts";
import { awsService } from "./aws-service.ts";

const DISABLED: ReadonlySet<string | undefined> = new Set(["Disabled", "Disabling"]);

/** https://docs.aws.amazon.com/lambda/latest/api/API_ListEventSourceMappings.html */
interface Mappings {
  readonly EventSourceMappings?: readonly {
    readonly UUID: string;
    readonly EventSourceArn?: string;
    readonly State?: string;
  }[];
  readonly NextMarker?: string | null;
}

/** The path of event source mappings in Lambda's API. */
const PATH = "/2015-03-31/event-source-mappings/";

/**
 * Enables the consumer's mapping if it is disabled. `pause` does not disable it, as other runs of the workflow need it;
 * earlier versions of `pause` did. Lambda changes a mapping within about a minute. Lambda's client in the SDK takes 3 MB in
 * `node_modules`, for these two requests.
 * https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html
 *
 * @throws {Error} Lambda refused a request. The name of the error is that of AWS.
 */
export async function restoreDelivery(functionName: string, queueUrl: string, account: AwsAccount): Promise<void> {
  const send = await awsService({ id: "Lambda", name: "lambda" }, account);
  const queueName = queueUrl.slice(queueUrl.lastIndexOf("/") + 1);
  let marker: string | null | undefined;
  do {
    const query = new URLSearchParams({ FunctionName: functionName, ...(marker != null && { Marker: marker }) });
    const text = await send({}, "", undefined, { method: "GET", path: `${PATH}?${query}` });
    const { EventSourceMappings: mappings = [], NextMarker } = JSON.parse(text) as Mappings;
    for (const { UUID, EventSourceArn, State } of mappings) {
      if (EventSourceArn?.endsWith(`:${queueName}`) !== true || !DISABLED.has(State)) continue;
      const headers = { "content-type": "application/json" };
      await send(headers, JSON.stringify({ Enabled: true }), undefined, { method: "PUT", path: `${PATH}${UUID}` });
    }
    marker = NextMarker;
  } while (marker != null && marker !== "");
}
