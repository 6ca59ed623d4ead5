import * as z from "zod";
import { defineWorkflow, items, PermanentError, RetryLater } from "../../../shared/index.ts";

/** What may happen to an item, and how many there are of each. */
export const KINDS = {
  good: 250,
  "fails once": 7,
  "asks for a delay": 3,
  "always fails": 4,
  "fails for good": 5,
  "rejects with undefined": 2,
  "ignores its signal": 2,
  "heeds its signal": 2,
  "fails in a timer": 2,
} as const;

const kinds = Object.entries(KINDS).flatMap(([kind, count]) => Array.from({ length: count }, () => kind));

/** Every way in which an item can end, but for those that end its process. */
export default defineWorkflow({
  name: "mixed",
  source: items(
    [
      ...kinds.map((kind, id) => ({ id, kind })),
      { id: "not a number", kind: "good" },
      { id: 1_000, kind: "unknown" },
      { id: 1_001, kind: "good", text: "x".repeat(1_100_000) },
      { id: Number.NaN, kind: "good" },
      undefined,
    ],
    { pageSize: 70 },
  ),
  item: z.object({ id: z.number(), kind: z.enum(Object.keys(KINDS) as (keyof typeof KINDS)[]) }),
  async task({ kind }, { attempt, waits, signal }) {
    switch (kind) {
      case "fails once":
        if (attempt === 1) throw new Error("not yet");
        return;
      case "asks for a delay":
        if (waits === 0) throw new RetryLater({ seconds: 1 });
        return;
      case "always fails":
        throw new TypeError(`attempt ${attempt}`);
      case "fails for good":
        throw new PermanentError("gone");
      case "rejects with undefined":
        return await Promise.reject(undefined);
      case "ignores its signal":
        return await new Promise(() => {});
      case "heeds its signal":
        return await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      case "fails in a timer":
        setTimeout(() => {
          throw new RangeError("nobody catches this");
        });
        return await new Promise(() => {});
    }
  },
  concurrency: 20,
  tasksPerEnvironment: 10,
  timeout: { milliseconds: 300 },
  retry: { attempts: 2, backoff: { base: { milliseconds: 0 } } },
});
