/**
 * The environment variable that names an ES module, by its URL, whose `defaultProvider` finds the credentials of clients
 * that are given none: those of the user's own code. Without it they are the ones in the environment variables.
 */
export const CREDENTIALS_MODULE = "SLUICE_CREDENTIALS_MODULE";
