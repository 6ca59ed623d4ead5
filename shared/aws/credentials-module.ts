/**
 * The environment variable that holds the URL of an ES module. The AWS clients that the user's own code creates get
 * their credentials from the module's export `defaultProvider`. If the variable is not set, these clients use the
 * credentials in the environment variables of AWS, as on Lambda.
 */
export const CREDENTIALS_MODULE = "SLUICE_CREDENTIALS_MODULE";
