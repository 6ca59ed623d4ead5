import * as z from "zod";
import { checkResponse, PermanentError } from "../../shared/index.ts";

/** What the detail endpoint promises; what it adds to this is ignored. */
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
 * Where the cities are served, from `CITIES_URL`; without a slash at its end.
 *
 * @throws {Error} The variable is not set, or not an http(s) URL.
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
 * A city's details.
 *
 * @throws {Throttled} The service is busy: a wait, and no failed attempt.
 * @throws {PermanentError} The city is gone, or its details are not what the service promises.
 * @throws {ResponseError} The service failed: another attempt may succeed.
 */
export async function fetchCityDetails(id: number, signal: AbortSignal): Promise<CityDetails> {
  const response = checkResponse(await fetch(`${citiesUrl()}/cities/${id}`, { signal }));
  const details = detailsSchema.safeParse(parseJson(await response.text()));
  if (!details.success) {
    // Its data is wrong at the source, and would be wrong again.
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
