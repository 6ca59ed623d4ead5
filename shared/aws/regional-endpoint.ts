import { partition } from "@aws-sdk/core/client";

/** Which of a service's endpoints in a region to use. */
export interface EndpointVariant {
  readonly isFips: boolean;
  readonly isDualStack: boolean;
}

/**
 * Services whose usual endpoints in AWS GovCloud (US) are FIPS endpoints. They have none whose name contains `-fips`.
 * https://aws.amazon.com/compliance/fips/
 */
const FIPS_IN_GOVCLOUD: ReadonlySet<string> = new Set(["cloudformation", "events", "logs"]);

/**
 * The endpoint of a service in a region of any partition.
 * https://docs.aws.amazon.com/general/latest/gr/rande.html
 *
 * @param service The first part of the service's host names.
 * @example regionalEndpoint("logs", "cn-north-1", { isFips: false, isDualStack: false }) // https://logs.cn-north-1.amazonaws.com.cn
 */
export function regionalEndpoint(service: string, region: string, { isFips, isDualStack }: EndpointVariant): string {
  const { name, dnsSuffix, dualStackDnsSuffix } = partition(region);
  const isUsual = !isFips || (name === "aws-us-gov" && !isDualStack && FIPS_IN_GOVCLOUD.has(service));
  return `https://${service}${isUsual ? "" : "-fips"}.${region}.${isDualStack ? dualStackDnsSuffix : dnsSuffix}`;
}

/**
 * The endpoint of a service that environment variables choose.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-endpoints.html
 *
 * @param variable The end of the variable for this service's endpoint, such as `SECRETS_MANAGER`.
 */
export function endpointFrom(
  environment: Readonly<Record<string, string | undefined>>,
  { service, variable, region }: { readonly service: string; readonly variable: string; readonly region: string },
): string {
  const isTrue = (name: string): boolean => environment[name]?.toLowerCase() === "true";
  // An empty variable counts as absent, as in the SDK.
  const configured = isTrue("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
    ? undefined
    : environment[`AWS_ENDPOINT_URL_${variable}`] || environment.AWS_ENDPOINT_URL;
  if (configured) return configured;
  const variant = { isFips: isTrue("AWS_USE_FIPS_ENDPOINT"), isDualStack: isTrue("AWS_USE_DUALSTACK_ENDPOINT") };
  return regionalEndpoint(service, region, variant);
}
