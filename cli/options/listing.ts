/** What `dlq list --by` takes: what the list groups dead letters by, or "dead-letter" to list each one. */
export const LISTINGS = ["error", "reason", "run", "age", "dead-letter"] as const;
export type Listing = (typeof LISTINGS)[number];
