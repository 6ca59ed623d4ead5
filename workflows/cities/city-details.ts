import * as z from "zod";
import { checkResponse, PermanentError } from "../../shared/index.ts";

/** The fields that the detail endpoint guarantees. Further fields are ignored. */
const detailsSchema = z.object({
  id: z.int().positive(),
  name: z.string().min(1),
  country: z.string().length(2),
  population: z.int().nonnegative(),
  latitude: z.number().min(-90).max(90),
  longitude: z.number().min(-180).max(180),
});

export type CityDetails = z.infer<typeof detailsSchema>;

/**
 * The URL of the cities service, from the environment variable `CITIES_URL`, without a slash at the end.
 *
 * @throws {Error} The variable is not set, or is not a URL with http or https.
 */
export function citiesUrl(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  const text = environment.CITIES_URL;
  const url = text === undefined ? null : URL.parse(text);
  if (text === undefined || (url?.protocol !== "http:" && url?.protocol !== "https:")) {
    throw new Error(
      `CITIES_URL must be the address of the cities service, such as http://127.0.0.1:8080, but is ${text ?? "not set"}: ` +
        "set it in the environment of the functions (sluice run starts the service and sets it)",
    );
  }
  return text.replace(/\/+$/, "");
}

/**
 * Fetches the details of a city.
 *
 * @throws {Throttled} The service is busy. The item waits, and the attempt does not count.
 * @throws {PermanentError} The city is gone, or its details do not match the schema.
 * @throws {ResponseError} The service failed. Another attempt may succeed.
 */
export async function fetchCityDetails(id: number, signal: AbortSignal): Promise<CityDetails> {
  const response = checkResponse(await fetch(`${citiesUrl()}/cities/${id}`, { signal }));
  const details = detailsSchema.safeParse(parseJson(await response.text()));
  if (!details.success) {
    // The data is wrong at its source, so another attempt would fail, too.
    throw new PermanentError(`the details are not those of a city: ${z.prettifyError(details.error)}`);
  }
  return details.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
