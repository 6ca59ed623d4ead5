import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { SQSClient } from "@aws-sdk/client-sqs";
import type { clientConfig } from "../shared/aws/client-config.ts";
import { type Blueprints, useFastPath } from "../shared/aws/fast-path.ts";
import { LEAN_CLIENT } from "../shared/aws/lean-client.ts";
import { explicitSettings, type ServiceAccess } from "../shared/aws/service-access.ts";

/** A client per purpose: each has its own sockets, and none waits for another's. */
export interface Clients {
  readonly sqs: SQSClient;
  readonly controlSqs: SQSClient;
  readonly dynamoDb: DynamoDBClient;
}

/** What one client is set up with: its connections and timeouts. */
export type ClientConfig = Pick<ReturnType<typeof clientConfig>, "requestHandler"> &
  Partial<ReturnType<typeof clientConfig>>;

/** How the clients bypass the SDK. */
export interface FastPath {
  /** What is known of their requests. */
  readonly blueprints: Blueprints;
  /** Called for each request that the SDK has to make instead. */
  readonly onFallback?: () => void;
}

/**
 * @param configOf Gives each client a configuration of its own.
 * @param fastPath Absent: each request is the SDK's.
 * @param access Where the services are. Absent: where the AWS SDK finds them.
 */
export function createClients(
  configOf: () => ClientConfig,
  fastPath: FastPath | undefined,
  access: ServiceAccess | undefined,
): Clients {
  const ofSqs = { ...LEAN_CLIENT, ...(access && explicitSettings(access, access.sqsEndpoint)) };
  const ofDynamoDb = { ...LEAN_CLIENT, ...(access && explicitSettings(access, access.dynamoDbEndpoint)) };
  // Its middleware is composed once a command, and not for each request: a tenth of a request's CPU time. A digest of
  // each body would take a fifth, and TLS sees to it already that it arrives as it was.
  const sqs = new SQSClient({ ...ofSqs, ...configOf(), cacheMiddleware: true, md5: false });
  const controlSqs = new SQSClient({ ...ofSqs, ...configOf() });
  const dynamoDb = new DynamoDBClient({ ...ofDynamoDb, ...configOf(), cacheMiddleware: true });
  for (const client of [sqs, dynamoDb]) {
    // Nobody reads what it prepares: a copy of each request and its answer, for a logger that there is not.
    client.middlewareStack.remove("loggerMiddleware");
    if (fastPath !== undefined) useFastPath(client, fastPath.blueprints, fastPath.onFallback);
  }
  return { sqs, controlSqs, dynamoDb };
}
