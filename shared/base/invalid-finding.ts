/** Why an item does not match the schema, in words that are the same for all items with the same fault. */
export interface InvalidFinding {
  /** The fault: "`email` missing". */
  readonly way: string;
  /** The message of the first such item. Present if `way` replaces details of the item, such as `<n>` for a number. */
  readonly example?: string | undefined;
  /** The fields that the first such item has instead: "the header has ` E-Mail `". */
  readonly instead?: string | undefined;
}
