/** How many bytes of the unreadable text are kept. They are enough to find the text in the source. */
const RAW_BYTES = 1_024;

/**
 * A placeholder that a source yields for an item that it cannot read, such as a broken line of a file. The placeholder
 * becomes a dead letter with the reason `invalid item` and the text of `error`, and the run continues.
 *
 * @example
 * ```ts
 * yield { items: rows.map((row) => parse(row) ?? new UnreadableItem({ raw: row, error: "no id", at: `row ${n}` })) };
 * ```
 */
export class UnreadableItem {
  /** The start of the unreadable text, cut to 1 KiB. */
  readonly raw: string;
  /** Why the source could not read it. */
  readonly error: string;
  /** The place in the source, for people: `"cities.csv, line 12 (byte 345)"`. */
  readonly at: string;

  /** @param item Its `raw` may be longer than 1 KiB: the constructor cuts it. Bytes are decoded as UTF-8. */
  constructor(item: { readonly raw: string | Uint8Array; readonly error: string; readonly at: string }) {
    const bytes = typeof item.raw === "string" ? Buffer.from(item.raw) : item.raw;
    // If the cut is in the middle of a character, `stream: true` leaves the character out. Otherwise, U+FFFD would
    // replace it.
    this.raw = new TextDecoder().decode(bytes.subarray(0, RAW_BYTES), { stream: bytes.length > RAW_BYTES });
    this.error = item.error;
    this.at = item.at;
  }
}
