/** Why an item does not match the schema, in words that are the same for all items with the same fault. */
export interface InvalidFinding {
  /** The fault: "`email` missing". */
  readonly fault: string;
  /**
   * The error message of the first item with this fault. Present if `fault` has placeholders, such as `<n>` for a
   * number.
   */
  readonly example?: string | undefined;
  /** The fields that the first item with this fault has instead of the missing one: "the header has ` E-Mail `". */
  readonly instead?: string | undefined;
}
