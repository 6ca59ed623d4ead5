import { browse } from "../../shared/dead-letters/browse.ts";
import type { PassResult } from "../../shared/dead-letters/pass.ts";
import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import { Counting } from "../screens/dlq/dead-letter-progress.ts";
import type { Target } from "../targets/target.ts";
import { interruptible } from "./interruptible.ts";

/** Looks at every dead letter of a workflow, and shows how far it has come. Ctrl-C ends it, and every dead letter is given back. */
export async function look({ services, local }: Target, see: (deadLetter: DeadLetter) => void): Promise<PassResult> {
  const counting = new Counting("Looking at");
  try {
    return await interruptible((signal) =>
      browse(services.deadLetterQueue, see, {
        signal,
        exactCounts: local !== undefined,
        onProgress: (progress) => counting.showPass(progress),
      }),
    );
  } finally {
    counting.end();
  }
}
