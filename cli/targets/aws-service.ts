import { defaultProvider } from "@aws-sdk/credential-provider-node";
import {
  loadConfig,
  NODE_REGION_CONFIG_FILE_OPTIONS,
  NODE_REGION_CONFIG_OPTIONS,
  NODE_USE_DUALSTACK_ENDPOINT_CONFIG_OPTIONS,
  NODE_USE_FIPS_ENDPOINT_CONFIG_OPTIONS,
} from "@smithy/core/config";
import { regionalEndpoint } from "../../shared/aws/regional-endpoint.ts";
import { sendRepeatedly } from "../../shared/aws/repeated-request.ts";
import { RequestHandler } from "../../shared/aws/request-handler.ts";
import type { AwsAccount } from "./aws-client-config.ts";
import { configuredEndpoint } from "./profile-endpoint.ts";

/** A service of AWS that the commands send few requests to, so that they need no client of the SDK. */
export interface AwsService {
  /** The service id as the SDK writes it. */
  readonly id: string;
  /** The first part of its host names, and its name in signatures. */
  readonly name: string;
}

/** Sends a request to a service, by default as POST to `/`, and returns the text of the response. */
export type SendRequest = (
  headers: Readonly<Record<string, string>>,
  body: string,
  signal?: AbortSignal,
  to?: { readonly method: "GET" | "PUT"; readonly path: string },
) => Promise<string>;

/**
 * Finds the region, the endpoint and the credentials as a client of the SDK does, for requests without such a client.
 *
 * @returns What sends the requests. Each one is repeated as `sendRepeatedly` says.
 * @throws {Error} The region is unknown, or there are no credentials.
 * @example const send = await awsService({ id: "CloudWatch Logs", name: "logs" }, { region: "eu-west-1" });
 */
export async function awsService({ id, name }: AwsService, account: AwsAccount): Promise<SendRequest> {
  const ofProfile = account.profile === undefined ? {} : { profile: account.profile };
  const region =
    account.region ??
    (await loadConfig(NODE_REGION_CONFIG_OPTIONS, { ...NODE_REGION_CONFIG_FILE_OPTIONS, ...ofProfile })());
  const endpoint =
    (await configuredEndpoint(id, account.profile)) ?? regionalEndpoint(name, region, await variantOf(ofProfile));
  const credentials = defaultProvider({ ...ofProfile, clientConfig: { requestHandler: new RequestHandler(), region } });
  return async (headers, body, signal, to) =>
    await sendRepeatedly({
      service: name,
      region,
      endpoint,
      headers,
      body,
      credentials: await credentials(),
      signal,
      ...to,
    });
}

/** https://docs.aws.amazon.com/sdkref/latest/guide/feature-endpoints.html */
const variantOf = async (ofProfile: { profile?: string }) => ({
  isFips: (await loadConfig(NODE_USE_FIPS_ENDPOINT_CONFIG_OPTIONS, ofProfile)()) === true,
  isDualStack: (await loadConfig(NODE_USE_DUALSTACK_ENDPOINT_CONFIG_OPTIONS, ofProfile)()) === true,
});
