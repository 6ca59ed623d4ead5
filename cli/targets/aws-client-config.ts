import { defaultProvider } from "@aws-sdk/credential-provider-node";
import { clientConfig } from "../../shared/aws/client-config.ts";
import { RequestHandler } from "../../shared/aws/request-handler.ts";

/**
 * The settings of an AWS client of the commands. Credentials are those that the SDK finds by itself; the requests that a
 * profile with single sign-on or an assumed role needs for that have the same timeouts.
 *
 * @example new SQSClient(configOf())
 */
export function configOf() {
  const credentials = defaultProvider({ clientConfig: { requestHandler: new RequestHandler() } });
  return { ...clientConfig(), credentials };
}
