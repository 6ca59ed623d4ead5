import { DynamoDBClient, type DynamoDBClientConfig } from "@aws-sdk/client-dynamodb";
import { SQSClient } from "@aws-sdk/client-sqs";
import { type Blueprints, useFastPath } from "../shared/fast-path.ts";
import { LEAN_CLIENT } from "../shared/lean-client.ts";

/** A client per purpose: each has its own sockets, and none waits for another's. */
export interface Clients {
  readonly sqs: SQSClient;
  readonly controlSqs: SQSClient;
  readonly dynamoDb: DynamoDBClient;
}

/**
 * @param requestHandler What takes the clients' requests to AWS.
 * @param blueprints What is known of their requests.
 */
export function createClients(
  requestHandler: NonNullable<DynamoDBClientConfig["requestHandler"]>,
  blueprints: Blueprints,
): Clients {
  // Its middleware is composed once a command, and not for each request: a tenth of a request's CPU time. A digest of
  // each body would take a fifth, and TLS sees to it already that it arrives as it was.
  const sqs = new SQSClient({ ...LEAN_CLIENT, requestHandler, cacheMiddleware: true, md5: false });
  const controlSqs = new SQSClient({ ...LEAN_CLIENT, requestHandler });
  const dynamoDb = new DynamoDBClient({ ...LEAN_CLIENT, requestHandler, cacheMiddleware: true });
  for (const client of [sqs, dynamoDb]) {
    // Nobody reads what it prepares: a copy of each request and its answer, for a logger that there is not.
    client.middlewareStack.remove("loggerMiddleware");
    useFastPath(client, blueprints);
  }
  return { sqs, controlSqs, dynamoDb };
}
