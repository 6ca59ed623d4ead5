/**
 * The delay that a `Retry-After` header asks for, in milliseconds: it holds seconds, or an HTTP date. `undefined` if
 * there is none, or none that can be read.
 *
 * @param now The time, in milliseconds since 1970.
 */
export function retryAfterMilliseconds(headers: Headers, now: number): number | undefined {
  const value = headers.get("retry-after")?.trim();
  if (value === undefined || value === "") return undefined;
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value) * 1_000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
