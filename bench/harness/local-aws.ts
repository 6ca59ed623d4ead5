/** The key of the services that a benchmark starts for itself. */
export const ACCESS_KEY_ID = "bench";

/** The configuration of a client of a local service. */
export const localClient = (endpoint: string) => ({
  endpoint,
  region: "us-east-1",
  credentials: { accessKeyId: ACCESS_KEY_ID, secretAccessKey: "bench" },
});
