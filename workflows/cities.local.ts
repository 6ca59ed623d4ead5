import { behaviourOf, repaired } from "./cities-service/behaviour.ts";
import { startCitiesService } from "./cities-service/service.ts";

/**
 * Started beside the `cities` workflow on the embedded engine: the service that it reads. With `CITIES_REPAIRED=1` it is
 * the same service after its operators have worked on it: what failed or hung answers.
 */
export default async function start(): Promise<{ environment: Record<string, string>; close(): Promise<void> }> {
  const service = await startCitiesService(
    process.env.CITIES_REPAIRED === "1" ? { behaviour: (id) => repaired(behaviourOf(id)) } : {},
  );
  return { environment: { CITIES_URL: service.url }, close: () => service.close() };
}
