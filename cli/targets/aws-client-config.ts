import { defaultProvider } from "@aws-sdk/credential-provider-node";
import { clientConfig } from "../../shared/aws/client-config.ts";
import { RequestHandler } from "../../shared/aws/request-handler.ts";
import { profileEndpoint } from "./profile-endpoint.ts";

/** The AWS account and region that a command uses. If an option is absent, the AWS SDK finds the value. */
export interface AwsAccount {
  readonly region?: string | undefined;
  readonly profile?: string | undefined;
}

/**
 * The settings of an AWS client of the commands. The SDK finds the credentials, in the given profile or by its usual chain.
 * The requests for the credentials of a profile, such as those for single sign-on, have the same timeouts.
 *
 * @param service The service id as the SDK writes it, such as `SQS`.
 * @example new SQSClient(await configOf("SQS", { profile: "work" }))
 */
export async function configOf(service: string, { region, profile }: AwsAccount) {
  const endpoint = profile === undefined ? undefined : await profileEndpoint(service, profile);
  const requestHandler = new RequestHandler();
  return {
    ...clientConfig(),
    credentials: defaultProvider({
      ...(profile !== undefined && { profile }),
      clientConfig: { requestHandler, ...(region !== undefined && { region }) },
    }),
    ...(region !== undefined && { region }),
    ...(profile !== undefined && { profile }),
    ...(endpoint !== undefined && { endpoint }),
  };
}
