/** How an invalid item failed, in words that are the same for each item that failed in this way. */
export interface InvalidFinding {
  /** What is wrong: "`email` missing". */
  readonly way: string;
  /** The first such item's message, where `way` leaves out what is only this item's: `<n>` stands for its numbers there. */
  readonly example?: string | undefined;
  /** What the first such item has instead: "the header has ` E-Mail `". */
  readonly instead?: string | undefined;
}
