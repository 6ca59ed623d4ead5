import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { SQSClient } from "@aws-sdk/client-sqs";
import type { clientConfig } from "../shared/aws/client-config.ts";
import { type Blueprints, useFastPath } from "../shared/aws/fast-path.ts";
import { LEAN_CLIENT } from "../shared/aws/lean-client.ts";
import { explicitSettings, type ServiceAccess } from "../shared/aws/service-access.ts";

/**
 * The AWS clients of a function. Each client has its own sockets, so that requests to one queue never wait for requests
 * to another queue.
 */
export interface Clients {
  readonly sqs: SQSClient;
  readonly controlSqs: SQSClient;
  readonly dynamoDb: DynamoDBClient;
}

/** The connections and timeouts of one client. */
export type ClientConfig = Pick<ReturnType<typeof clientConfig>, "requestHandler"> &
  Partial<ReturnType<typeof clientConfig>>;

/** How the clients bypass the SDK. See `useFastPath`. */
export interface FastPath {
  /** The blueprints of the clients' requests. */
  readonly blueprints: Blueprints;
  /** Called for each request that the fast path should have made and that the SDK made instead. */
  readonly onFallback?: () => void;
}

/**
 * Creates the AWS clients of a function.
 *
 * Requests to SQS go to the endpoint of the client, and not to the host of the queue's URL: the CDK makes the URL of an imported queue from
 * its ARN, without regard to FIPS endpoints and endpoints that are set.
 *
 * @param configOf Returns a new configuration for each client.
 * @param fastPath Absent: the SDK makes every request.
 * @param access The endpoints and the access key. Absent: the AWS SDK finds them.
 */
export function createClients(
  configOf: () => ClientConfig,
  fastPath: FastPath | undefined,
  access: ServiceAccess | undefined,
): Clients {
  const sqsSettings = {
    ...LEAN_CLIENT,
    ...(access && explicitSettings(access, access.sqsEndpoint)),
    useQueueUrlAsEndpoint: false,
  };
  const dynamoDbSettings = { ...LEAN_CLIENT, ...(access && explicitSettings(access, access.dynamoDbEndpoint)) };
  // `cacheMiddleware` saves a tenth of a request's CPU time, and `md5: false` a fifth. TLS already protects each body
  // against changes on the way.
  const sqs = new SQSClient({ ...sqsSettings, ...configOf(), cacheMiddleware: true, md5: false });
  const controlSqs = new SQSClient({ ...sqsSettings, ...configOf() });
  const dynamoDb = new DynamoDBClient({ ...dynamoDbSettings, ...configOf(), cacheMiddleware: true });
  for (const client of [sqs, dynamoDb]) {
    // This middleware copies each request and its response for a logger, and these clients have no logger.
    client.middlewareStack.remove("loggerMiddleware");
    if (fastPath !== undefined) useFastPath(client, fastPath.blueprints, fastPath.onFallback);
  }
  return { sqs, controlSqs, dynamoDb };
}
