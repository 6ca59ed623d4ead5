import { LOCAL_AWS } from "../../local/services.ts";

/** The configuration of a client of a local service. */
export const localClient = (endpoint: string) => ({
  endpoint,
  region: LOCAL_AWS.AWS_REGION,
  credentials: { accessKeyId: LOCAL_AWS.AWS_ACCESS_KEY_ID, secretAccessKey: LOCAL_AWS.AWS_SECRET_ACCESS_KEY },
});
