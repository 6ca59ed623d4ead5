import { setTimeout } from "node:timers/promises";
import * as z from "zod";
import { defineWorkflow, items, PermanentError, RetryLater, type TaskContext } from "../shared/index.ts";

const KINDS = [
  "good",
  "stuck, heeds its signal",
  "stuck, ignores its signal",
  "expected error",
  "unexpected error",
  "rejects with undefined",
  "asks for later",
  "ends its process",
  "fills its memory",
  "spins for ever",
] as const;

const BAD = KINDS.slice(1);
const GOOD_ITEMS = 200;

/** Good items, with every kind of bad one among them. */
const source = Array.from({ length: GOOD_ITEMS + BAD.length }, (_, number) => {
  const kind = number % 8 === 3 ? BAD[(number - 3) / 8] : undefined;
  return { number, kind: kind ?? "good" };
});

function fillMemory(): never {
  const held: number[][] = [];
  for (;;) held.push(new Array(100_000).fill(held.length));
}

/** All the ways in which a task can misbehave, among good items: those succeed, each bad one has its true reason. */
export default defineWorkflow({
  name: "unreliable",
  source: items(source),
  item: z.object({ number: z.int(), kind: z.enum(KINDS) }),
  task: async ({ kind }, { signal, waits }: TaskContext) => {
    switch (kind) {
      case "good":
        return await setTimeout(50, undefined, { signal });
      case "stuck, heeds its signal":
        return await setTimeout(1_000_000, undefined, { signal });
      case "stuck, ignores its signal":
        return await new Promise(() => {});
      case "expected error":
        throw new PermanentError("this item is known to be bad");
      case "unexpected error":
        throw new TypeError("nobody expected this");
      case "rejects with undefined":
        return await Promise.reject();
      case "asks for later":
        if (waits === 0) throw new RetryLater({ seconds: 1 });
        return;
      case "ends its process":
        return process.exit(1);
      case "fills its memory":
        return fillMemory();
      case "spins for ever":
        for (;;);
    }
  },
  concurrency: 20,
  tasksPerEnvironment: 10,
  timeout: { seconds: 1 },
  memoryMb: 256,
  retry: { attempts: 3, backoff: { base: { milliseconds: 100 } } },
});
