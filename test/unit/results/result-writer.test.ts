import { setImmediate as immediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { ResultsNotStoredError, ResultWriter } from "../../../shared/results/result-writer.ts";
import { recordingLogger } from "../../helpers/recording-metrics.ts";

const page = { run: "run-1", partition: 0, page: 0 };

/** A writer, and what happens to its writes, in their order. */
function writerAnd(...writes: readonly PromiseWithResolvers<void>[]) {
  const left = [...writes];
  const put = () => left.shift()?.promise ?? Promise.resolve();
  const writer = new ResultWriter({ store: { put }, logger: recordingLogger(), newId: () => "id" });
  const add = (index: number) => writer.add(page, { epoch: 1, index, generation: 0, result: "1" });
  return { writer, add };
}

test("results of one group in two writes that both fail leave no bytes behind", async () => {
  const first = Promise.withResolvers<void>();
  const second = Promise.withResolvers<void>();
  const { writer, add } = writerAnd(first, second);
  const due = add(0);
  const waiting = add(1);
  // The first write also takes the result that waits.
  writer.store([due], [waiting]);
  const group = [waiting, add(2)];
  writer.store(group, []);
  const ends = Promise.allSettled([writer.whenStored([due]), writer.whenStored(group)]);
  first.reject(new Error("503"));
  await immediate();
  second.reject(new Error("503"));
  for (const end of await ends) expect(end).toMatchObject({ reason: expect.any(ResultsNotStoredError) });
  await immediate();
  expect(writer.unstoredBytes).toBe(0);
});
