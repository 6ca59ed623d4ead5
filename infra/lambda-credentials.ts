import { fromEnv } from "@aws-sdk/credential-provider-env";
import { CREDENTIALS_MODULE } from "../shared/aws/credentials-module.ts";

type Provider = ReturnType<typeof fromEnv>;
type DefaultProvider = (...options: Parameters<typeof fromEnv>) => Provider;

/**
 * Replaces `@aws-sdk/credential-provider-node` in a bundle, both for Sluice's clients and for the clients of the user's
 * code.
 *
 * On Lambda, a function has its credentials in environment variables. The SDK's own provider also reads profiles,
 * single sign-on, containers and instances. It would be a fifth of the bundle, and Lambda does not need it. The embedded
 * engine does need it. There, an environment variable names the SDK's module, and this function loads the module. The
 * constant `CREDENTIALS_MODULE` is the name of that variable.
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
