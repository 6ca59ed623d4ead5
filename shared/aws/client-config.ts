import { RequestHandler, type RequestHandlerOptions } from "./request-handler.ts";
import { Retries } from "./retries.ts";
import { MOST_ATTEMPTS } from "./timeouts.ts";

/**
 * The settings of every AWS client of Sluice: timeouts, connections and retries. Call it once for each client, because
 * the settings hold the client's connections.
 *
 * @example new SQSClient({ ...clientConfig(), region })
 */
export function clientConfig(options: RequestHandlerOptions = {}) {
  return { requestHandler: new RequestHandler(options), retryStrategy: new Retries(), maxAttempts: MOST_ATTEMPTS };
}
