import { setTimeout } from "node:timers/promises";
import * as z from "zod";
import { defineWorkflow, items, PermanentError, RetryLater, type TaskContext } from "../shared/index.ts";

const KINDS = [
  "good",
  "hangs until its signal fires",
  "hangs and ignores its signal",
  "expected error",
  "unexpected error",
  "rejects with undefined",
  "asks to wait",
  "ends its process",
  "fills its memory",
  "loops forever",
] as const;

const BAD = KINDS.slice(1);
const GOOD_ITEMS = 200;

/** 200 good items, with one bad item of each kind among them. */
const source = Array.from({ length: GOOD_ITEMS + BAD.length }, (_, number) => {
  const kind = number % 8 === 3 ? BAD[(number - 3) / 8] : undefined;
  return { number, kind: kind ?? "good" };
});

function fillMemory(): never {
  const held: number[][] = [];
  for (;;) held.push(new Array(100_000).fill(held.length));
}

/**
 * Shows each way in which a task can fail. All good items succeed, and each bad item becomes a dead letter with the
 * true reason.
 */
export default defineWorkflow({
  name: "unreliable",
  source: items(source),
  item: z.object({ number: z.int(), kind: z.enum(KINDS) }),
  task: async ({ kind }, { signal, waits }: TaskContext) => {
    switch (kind) {
      case "good":
        return await setTimeout(50, undefined, { signal });
      case "hangs until its signal fires":
        return await setTimeout(1_000_000, undefined, { signal });
      case "hangs and ignores its signal":
        return await new Promise(() => {});
      case "expected error":
        throw new PermanentError("this item is known to be bad");
      case "unexpected error":
        throw new TypeError("an unexpected error");
      case "rejects with undefined":
        return await Promise.reject();
      case "asks to wait":
        if (waits === 0) throw new RetryLater({ seconds: 1 });
        return;
      case "ends its process":
        return process.exit(1);
      case "fills its memory":
        return fillMemory();
      case "loops forever":
        for (;;);
    }
  },
  concurrency: 20,
  tasksPerEnvironment: 10,
  timeout: { seconds: 1 },
  memoryMb: 256,
  retry: { attempts: 3, backoff: { base: { milliseconds: 100 } } },
});
