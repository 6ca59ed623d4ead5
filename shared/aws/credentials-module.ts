/**
 * The environment variable that holds the URL of an ES module. The module's `defaultProvider` finds the credentials of
 * the AWS clients in the user's own code. If the variable is not set, these clients use the credentials in the
 * environment variables of AWS, as on Lambda.
 */
export const CREDENTIALS_MODULE = "SLUICE_CREDENTIALS_MODULE";
