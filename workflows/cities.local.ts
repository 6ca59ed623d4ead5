import { behaviourOf, repaired } from "./cities-service/behaviour.ts";
import { startCitiesService } from "./cities-service/service.ts";

/**
 * Starts the service that the `cities` workflow reads. The embedded engine calls this function before the run. With
 * `CITIES_REPAIRED=1` the service is repaired: requests that failed or hung before are answered.
 */
export default async function start(): Promise<{ environment: Record<string, string>; close(): Promise<void> }> {
  const service = await startCitiesService(
    process.env.CITIES_REPAIRED === "1" ? { behaviour: (id) => repaired(behaviourOf(id)) } : {},
  );
  return { environment: { CITIES_URL: service.url }, close: () => service.close() };
}
