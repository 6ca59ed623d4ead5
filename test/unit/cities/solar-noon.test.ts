import { expect, test } from "vitest";
import { equationOfTimeMinutes, solarNoon } from "../../../workflows/cities/solar-noon.ts";

const MINUTE = 60_000;

/** Greenwich: the noon of the mean sun is 12:00 UTC, so the rest is the equation of time, to the second. */
test.each([
  // Tables of the equation of time at 12 h after Meeus's full method: https://home.kpn.nl/vanadovv/time/EoT_table.html
  ["2007-01-01", "12:03:26"],
  ["2008-01-01", "12:03:18"],
  ["2009-01-10", "12:07:36"],
  ["2011-01-10", "12:07:24"],
])("Greenwich, %s: %s UTC by the almanac", (date, time) => {
  const noon = solarNoon(0, new Date(date)).getTime();
  expect(Math.abs(noon - Date.parse(`${date}T${time}Z`))).toBeLessThan(5_000);
});

/** To the minute, as published calendars give it. */
test.each([
  // Published beside each other: https://betterworld2016.org/why-does-the-sunset-later-in-florida-than-in-new-york/
  ["New York", -74.006, "2020-12-21", "2020-12-21T11:54-05:00"],
  ["St. Augustine", -81.3145, "2020-12-21", "2020-12-21T12:23-05:00"],
  // EarthSky's table of 2013.
  ["Philadelphia", -75.165, "2013-12-07", "2013-12-07T11:52-05:00"],
  ["Philadelphia", -75.165, "2013-12-21", "2013-12-21T11:59-05:00"],
  // The Sky Watch of January 2025.
  ["Washington", -77.037, "2025-01-13", "2025-01-13T12:17-05:00"],
  ["Washington", -77.037, "2025-02-12", "2025-02-12T12:23-05:00"],
])("%s (%f), %s: %s", (_city, longitude, date, published) => {
  const noon = solarNoon(longitude, new Date(date)).getTime();
  expect(Math.abs(noon - Date.parse(published))).toBeLessThan(1.5 * MINUTE);
});

test("the equation of time has its extremes and its four zeros at the right dates", () => {
  const days = Array.from({ length: 366 }, (_, day) => new Date(Date.UTC(2024, 0, 1 + day, 12)));
  const values = days.map(equationOfTimeMinutes);
  const dayOf = (value: number) => days[values.indexOf(value)]?.toISOString().slice(5, 10);
  const least = Math.min(...values);
  const most = Math.max(...values);
  // Within 6 s of the almanac's -14 min 14 s and +16 min 26 s.
  expect(Math.abs(least + 14.23)).toBeLessThan(0.1);
  expect(["02-10", "02-11", "02-12"]).toContain(dayOf(least));
  expect(Math.abs(most - 16.43)).toBeLessThan(0.1);
  expect(["11-02", "11-03"]).toContain(dayOf(most));
  const crossings = values.filter((value, day) => value * (values[day + 1] ?? value) < 0);
  // The last days before the sign changes.
  expect(crossings.map(dayOf)).toEqual(["04-14", "06-12", "08-31", "12-24"]);
});

test("the noon belongs to the date of the place, on both sides of the date line", () => {
  const day = new Date("2024-04-15");
  expect(solarNoon(180, day).toISOString().slice(0, 13)).toMatch(/^2024-04-1(4T23|5T00)$/);
  expect(solarNoon(-180, day).toISOString().slice(0, 13)).toMatch(/^2024-04-1(5T23|6T00)$/);
  expect(solarNoon(-180, day).getTime() - solarNoon(180, day).getTime()).toBeCloseTo(1_440 * MINUTE, -5);
});

test("the time of day is ignored", () => {
  expect(solarNoon(10, new Date("2024-05-01T23:59:59.999Z"))).toEqual(solarNoon(10, new Date("2024-05-01")));
});

test.each([-180.001, 180.001, Number.NaN])("longitude %f is refused", (longitude) => {
  expect(() => solarNoon(longitude, new Date())).toThrow("longitude must be from -180 to 180 degrees");
});

test("an invalid date is refused", () => {
  expect(() => solarNoon(0, new Date("soon"))).toThrow("day must be a valid date");
});
