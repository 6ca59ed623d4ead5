/**
 * Stands in for `@aws-sdk/credential-provider-node` inside a bundle. Lambda gives a function its credentials in
 * environment variables; the chain that also knows profiles, single sign-on, containers and instances would be a fifth
 * of the bundle, and never be asked.
 */
export { fromEnv as defaultProvider } from "@aws-sdk/credential-provider-env";
