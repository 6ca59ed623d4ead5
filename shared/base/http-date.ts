/**
 * Parses an HTTP date. Returns milliseconds since 1970, or `undefined` if the text is not an HTTP date.
 *
 * The function reads the three forms of RFC 9110 (https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7), and ISO 8601
 * with a time zone, which many services send instead. `Date.parse` alone is not enough: it reads the `asctime` form as
 * local time, and it accepts texts such as `"5 bananas"`.
 *
 * @param now The time, in milliseconds since 1970. It decides the century of a year with two digits.
 */
export function parseHttpDate(text: string, now: number): number | undefined {
  const value = text.trim();
  if (ISO_8601.test(value)) return timeOf(value);
  for (const form of FORMS) {
    const { groups } = form.exec(value) ?? {};
    if (groups === undefined) continue;
    const { day, month, year = "", time } = groups;
    return timeOf(`${day} ${month} ${year.length === 2 ? fullYear(Number(year), now) : year} ${time} GMT`);
  }
  return undefined;
}

const TIME = String.raw`(?<time>\d{2}:\d{2}:\d{2})`;
const FORMS = [
  // Sun, 06 Nov 1994 08:49:37 GMT
  new RegExp(`^[a-z]{3}, (?<day>\\d{1,2}) (?<month>[a-z]{3}) (?<year>\\d{4}) ${TIME} (?:GMT|UTC)$`, "i"),
  // Sunday, 06-Nov-94 08:49:37 GMT, and with a full year, as in cookies
  new RegExp(`^[a-z]{3,9}, (?<day>\\d{1,2})-(?<month>[a-z]{3})-(?<year>\\d{4}|\\d{2}) ${TIME} (?:GMT|UTC)$`, "i"),
  // Sun Nov  6 08:49:37 1994
  new RegExp(`^[a-z]{3} (?<month>[a-z]{3}) +(?<day>\\d{1,2}) ${TIME} (?<year>\\d{4})$`, "i"),
];
const ISO_8601 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})$/i;

function timeOf(text: string): number | undefined {
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}

/**
 * The full year for a year with two digits, as RFC 9110 defines it. The year is in this century, unless it would be
 * more than 50 years in the future. Then it is in the century before.
 */
function fullYear(twoDigits: number, now: number): number {
  const thisYear = new Date(now).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + twoDigits;
  return year > thisYear + 50 ? year - 100 : year;
}
