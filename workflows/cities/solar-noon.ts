const DEGREE = Math.PI / 180;
const MINUTE_MILLISECONDS = 60_000;
const CENTURY_MILLISECONDS = 36_525 * 86_400_000;
const J2000 = Date.UTC(2000, 0, 1, 12);

/**
 * The time at which the sun is highest at a longitude, on a calendar date of that place. It is exact to a few seconds
 * from 1950 to 2050. Latitude has no influence.
 *
 * @param longitude Degrees, east positive, -180 to 180.
 * @param day Any instant of the wanted date in UTC. Its time of day is ignored.
 * @throws {RangeError} The longitude is out of range, or `day` is an invalid date.
 *
 * @example `solarNoon(-74.006, new Date("2020-12-21"))` is 16:54 UTC: 11:54 in New York.
 */
export function solarNoon(longitude: number, day: Date): Date {
  if (!(longitude >= -180 && longitude <= 180)) {
    throw new RangeError(`longitude must be from -180 to 180 degrees, but is ${longitude}`);
  }
  // The earth turns by one degree in four minutes.
  const meanNoon = Math.floor(day.getTime() / 86_400_000) * 86_400_000 + (720 - 4 * longitude) * MINUTE_MILLISECONDS;
  const noon = new Date(Math.round(meanNoon - equationOfTimeMinutes(new Date(meanNoon)) * MINUTE_MILLISECONDS));
  if (Number.isNaN(noon.getTime())) throw new RangeError("day must be a valid date");
  return noon;
}

/**
 * The equation of time: how far a sundial is ahead of the mean sun, in minutes (-14.3 in February to 16.5 in November).
 *
 * Smart's series in the sun's mean longitude and anomaly, with the orbital elements of Meeus (Astronomical Algorithms,
 * 2nd edition, chapters 25 and 28), as in NOAA's solar calculator.
 */
export function equationOfTimeMinutes(at: Date): number {
  const centuries = (at.getTime() - J2000) / CENTURY_MILLISECONDS;
  const meanLongitude = (280.46646 + centuries * (36_000.76983 + centuries * 0.0003032)) * DEGREE;
  const meanAnomaly = (357.52911 + centuries * (35_999.05029 - centuries * 0.0001537)) * DEGREE;
  const eccentricity = 0.016708634 - centuries * (0.000042037 + centuries * 0.0000001267);
  const obliquity = (23.439291 - centuries * 0.0130042) * DEGREE;
  const y = Math.tan(obliquity / 2) ** 2;
  const radians =
    y * Math.sin(2 * meanLongitude) -
    2 * eccentricity * Math.sin(meanAnomaly) +
    4 * eccentricity * y * Math.sin(meanAnomaly) * Math.cos(2 * meanLongitude) -
    0.5 * y ** 2 * Math.sin(4 * meanLongitude) -
    1.25 * eccentricity ** 2 * Math.sin(2 * meanAnomaly);
  return (radians / DEGREE) * 4;
}
