import { DynamoDBClient, type DynamoDBClientConfig } from "@aws-sdk/client-dynamodb";
import { SQSClient } from "@aws-sdk/client-sqs";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { LEAN_CLIENT } from "../shared/lean-client.ts";

/** A client per purpose: each has its own sockets, and none waits for another's. */
export interface Clients {
  readonly sqs: SQSClient;
  readonly controlSqs: SQSClient;
  readonly dynamoDb: DynamoDBDocumentClient;
}

/** @param requestHandler What takes the clients' requests to AWS. */
export function createClients(requestHandler: NonNullable<DynamoDBClientConfig["requestHandler"]>): Clients {
  // Its middleware is composed once a command, and not for each request: a tenth of a request's CPU time. The document
  // client cannot do so. A digest of each body would take a fifth, and TLS sees to it already that it arrives as it was.
  const sqs = new SQSClient({ ...LEAN_CLIENT, requestHandler, cacheMiddleware: true, md5: false });
  const controlSqs = new SQSClient({ ...LEAN_CLIENT, requestHandler });
  const dynamoDbClient = new DynamoDBClient({ ...LEAN_CLIENT, requestHandler });
  // Nobody reads what it prepares: a copy of each request and its answer, for a logger that there is not.
  for (const { middlewareStack } of [sqs, dynamoDbClient]) middlewareStack.remove("loggerMiddleware");
  const dynamoDb = DynamoDBDocumentClient.from(dynamoDbClient, {
    marshallOptions: { removeUndefinedValues: true },
  });
  return { sqs, controlSqs, dynamoDb };
}
