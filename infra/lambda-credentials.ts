import { fromEnv } from "@aws-sdk/credential-provider-env";
import { CREDENTIALS_MODULE } from "../shared/aws/credentials-module.ts";

type Provider = ReturnType<typeof fromEnv>;
type DefaultProvider = (...options: Parameters<typeof fromEnv>) => Provider;

/**
 * Stands in for `@aws-sdk/credential-provider-node` inside a bundle, for Sluice's clients and those of the user's code
 * alike. Lambda gives a function its credentials in environment variables; the chain that also knows profiles, single
 * sign-on, containers and instances would be a fifth of the bundle, and never be asked. Where it is needed, it is loaded
 * from the module that `CREDENTIALS_MODULE` names.
 */
export const defaultProvider: DefaultProvider = (options) => {
  const module = process.env[CREDENTIALS_MODULE];
  if (module === undefined) return fromEnv(options);
  let loaded: Promise<Provider> | undefined;
  return async (...request) => {
    loaded ??= import(module).then((chain: { defaultProvider: DefaultProvider }) => chain.defaultProvider(options));
    return await (await loaded)(...request);
  };
};
