import { startCitiesService } from "./cities-service/service.ts";

/** Started beside the `cities` workflow on the embedded engine: the service that it reads. */
export default async function start(): Promise<{ environment: Record<string, string>; close(): Promise<void> }> {
  const service = await startCitiesService();
  return { environment: { CITIES_URL: service.url }, close: () => service.close() };
}
