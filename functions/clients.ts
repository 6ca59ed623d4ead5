import { SQSClient, type SQSClientConfig } from "@aws-sdk/client-sqs";
import { LEAN_CLIENT } from "../shared/lean-client.ts";

/**
 * A client of the queue that tasks go through. Its middleware is composed once a command, and not for each request: a
 * tenth of a request's CPU time. A digest of each body would take a fifth, and TLS sees to it already that it arrives as
 * it was.
 */
export function taskQueueClient(config: SQSClientConfig): SQSClient {
  const client = new SQSClient({ ...LEAN_CLIENT, ...config, cacheMiddleware: true, md5: false });
  // Nobody reads what it prepares: a copy of each request and its answer, for a logger that there is not.
  client.middlewareStack.remove("loggerMiddleware");
  return client;
}
