import * as z from "zod";
import { defineWorkflow, httpPages, linkHeader } from "../shared/index.ts";
import { citiesUrl, fetchCityDetails } from "./cities/city-details.ts";
import { solarNoon } from "./cities/solar-noon.ts";

/**
 * For each city of a paged REST API: fetches the details of the city, and returns its solar noon. The service behaves
 * as badly as real services do: it throttles, fails, hangs and sends malformed data.
 */
export default defineWorkflow({
  name: "cities",
  source: httpPages({ url: () => `${citiesUrl()}/cities?limit=200`, next: linkHeader }),
  item: z.object({
    id: z.int().positive(),
    name: z.string().min(1),
    country: z.string().length(2),
  }),
  limit: 5_000,
  environment: ["CITIES_URL"],
  task: async (city, { signal }) => {
    const { longitude } = await fetchCityDetails(city.id, signal);
    return { city: city.name, country: city.country, solarNoon: solarNoon(longitude, new Date()).toISOString() };
  },
  results: true,
  concurrency: 50,
  tasksPerEnvironment: 10,
  timeout: { seconds: 2 },
  retry: { attempts: 5, backoff: { base: { milliseconds: 200 }, cap: { seconds: 5 } } },
});
