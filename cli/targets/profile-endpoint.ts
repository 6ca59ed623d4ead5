import { booleanSelector, loadConfig, SelectorType } from "@smithy/core/config";

/**
 * The endpoint that a profile of `~/.aws/config` sets for a service, or that the environment variables of AWS set.
 *
 * A client of the SDK reads the endpoint of the default profile only, even if it has the option `profile`. So a command with
 * `--profile` looks the endpoint up itself.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
 *
 * @param service The service id as the SDK writes it, such as `SQS`.
 * @returns `undefined` if neither sets an endpoint: the endpoint of AWS applies.
 * @throws {Error} The profile names a `services` section that does not exist.
 */
export async function profileEndpoint(service: string, profile: string): Promise<string | undefined> {
  return await configuredEndpoint(service, profile);
}

/**
 * The endpoint that a profile or the environment variables of AWS set for a service.
 *
 * @param profile Default: the profile that the SDK uses.
 */
export async function configuredEndpoint(service: string, profile: string | undefined): Promise<string | undefined> {
  const ofProfile = profile === undefined ? {} : { profile };
  const isIgnored = await loadConfig<boolean>(
    {
      environmentVariableSelector: (variables) =>
        booleanSelector(variables, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", SelectorType.ENV),
      configFileSelector: (section) => booleanSelector(section, "ignore_configured_endpoint_urls", SelectorType.CONFIG),
      default: false,
    },
    ofProfile,
  )();
  if (isIgnored) return undefined;
  const name = service.replaceAll(" ", "_");
  return await loadConfig<string | undefined>(
    {
      environmentVariableSelector: (variables) =>
        variables[`AWS_ENDPOINT_URL_${name.toUpperCase()}`] || variables.AWS_ENDPOINT_URL || undefined,
      configFileSelector: (section, file) => {
        const { services, endpoint_url: endpoint } = section;
        if (services === undefined) return endpoint;
        const endpoints = file?.[`services.${services}`];
        if (endpoints === undefined)
          throw new Error(
            `${profile === undefined ? "the profile" : `the profile "${profile}"`} names the services "${services}", which do not exist`,
          );
        return endpoints[`${name.toLowerCase()}.endpoint_url`] ?? endpoint;
      },
      default: undefined,
    },
    ofProfile,
  )();
}
