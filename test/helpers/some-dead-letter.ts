import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";

const BEGAN = Date.parse("2026-11-28T10:00:00.000Z");

/** A dead letter of the item with this number. Each has another id, item and time of death, a second apart. */
export const someDeadLetter = (number: number, changes: Partial<DeadLetter> = {}): DeadLetter => ({
  id: `${String(number).padStart(8, "0")}-6084-4d46-9ba5-f0e6d7d4aba4`,
  kind: "dead letter",
  reason: "exhausted",
  diedAt: new Date(BEGAN + number * 1_000).toISOString(),
  sentAt: "2026-11-28T10:00:00.000Z",
  expiresAt: null,
  receiveCount: 1,
  workflow: "cities",
  run: "20261128-100000-abcd",
  page: 0,
  index: number,
  epoch: 0,
  item: { number },
  truncated: false,
  redrives: 0,
  failures: [],
  error: { name: "Error", message: "no route to host" },
  fingerprint: { id: "0e4f2a11", text: "Error: no route to host" },
  body: "{}",
  attributes: {},
  movedFrom: null,
  ...changes,
});
