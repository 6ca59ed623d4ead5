import { setTimeout } from "node:timers/promises";
import { side } from "../harness/side.ts";

interface Input {
  readonly tasks: number;
  readonly seconds: number;
  readonly inFlight: number;
}

// A bounded queue inside one process: nothing is stored, sent or recorded, so it is the floor for all others.
await side<Input>(async ({ tasks, seconds, inFlight }) => {
  const startedAt = performance.now();
  let next = 0;
  const consume = async () => {
    while (next++ < tasks) await setTimeout(1_000 * seconds);
  };
  await Promise.all(Array.from({ length: inFlight }, consume));
  return { wallSeconds: (performance.now() - startedAt) / 1_000 };
});
