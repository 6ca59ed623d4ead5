/** How much of what could not be read is kept: enough to find it in the source. */
const RAW_BYTES = 1_024;

/**
 * What a source yields in place of an item that it could not read, such as a broken line of a file. The run goes on:
 * the producer makes it a dead letter with this reason.
 *
 * @example
 * ```ts
 * yield { items: rows.map((row) => parse(row) ?? new UnreadableItem({ raw: row, error: "no id", at: `row ${n}` })) };
 * ```
 */
export class UnreadableItem {
  /** The start of what stands there, cut to 1 KiB. */
  readonly raw: string;
  /** Why it could not be read. */
  readonly error: string;
  /** Where it stands, for people: `"cities.csv, line 12 (byte 345)"`. */
  readonly at: string;

  constructor(item: { readonly raw: string | Uint8Array; readonly error: string; readonly at: string }) {
    const bytes = typeof item.raw === "string" ? Buffer.from(item.raw) : item.raw;
    // `stream: true` leaves out a character whose bytes the cut parted, instead of showing U+FFFD for it.
    this.raw = new TextDecoder().decode(bytes.subarray(0, RAW_BYTES), { stream: bytes.length > RAW_BYTES });
    this.error = item.error;
    this.at = item.at;
  }
}
