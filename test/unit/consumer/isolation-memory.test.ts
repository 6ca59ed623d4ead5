import { expect, test } from "vitest";
import { isolationFlags, isolationMemory } from "../../../shared/consumer/attempts/isolation-memory.ts";

/** Whether a function has room for a process beside its consumer. */
function admitsIsolation(memoryMb: number): boolean {
  const { consumerMb, processes, processMb } = isolationMemory(memoryMb);
  return consumerMb + processes * processMb <= memoryMb;
}

test.each([
  // There is no room beside the consumer. The smallest process is started anyway.
  [128, { consumerMb: 128, processes: 1, processMb: 116, heapMb: 32 }, false],
  [256, { consumerMb: 128, processes: 1, processMb: 128, heapMb: 41 }, true],
  [512, { consumerMb: 256, processes: 1, processMb: 256, heapMb: 144 }, true],
  [1_024, { consumerMb: 512, processes: 2, processMb: 256, heapMb: 144 }, true],
  [2_048, { consumerMb: 1_024, processes: 4, processMb: 256, heapMb: 144 }, true],
  [10_240, { consumerMb: 5_120, processes: 4, processMb: 1_280, heapMb: 963 }, true],
])("a function of %i MB is divided", (memoryMb, division, admits) => {
  expect(isolationMemory(memoryMb)).toEqual(division);
  expect(admitsIsolation(memoryMb)).toBe(admits);
});

test("an attempt that runs alone gets the memory of all isolated attempts", () => {
  expect(isolationMemory(1_024, true)).toEqual({ consumerMb: 512, processes: 1, processMb: 512, heapMb: 348 });
  expect(isolationMemory(128, true)).toEqual(isolationMemory(128));
});

test("the consumer and its processes stay within the function's memory, if it has room for a process", () => {
  const sizes = Array.from({ length: 10_240 - 128 + 1 }, (_, index) => 128 + index);
  const broken = sizes.filter((memoryMb) =>
    [false, true].some((alone) => {
      const { consumerMb, processes, processMb, heapMb } = isolationMemory(memoryMb, alone);
      const isWithin = consumerMb + processes * processMb <= memoryMb;
      // 64 MB beside the heap, and 12 MB of the young generation.
      return isWithin !== memoryMb >= 244 || heapMb + 76 >= processMb || heapMb < 32 || processes < 1;
    }),
  );
  expect(broken).toEqual([]);
  expect(sizes.filter(admitsIsolation)[0]).toBe(244);
});

test("the process gets the limits as flags", () => {
  const flags = isolationFlags(isolationMemory(512));
  expect(flags).toContain("--max-old-space-size=144");
  expect(flags.findLast((flag) => flag.startsWith("--max-semi-space-size"))).toBe("--max-semi-space-size=4");
});

test("the process gets nothing but flags before its module, because Node takes the first other argument for the module", () => {
  expect(isolationFlags(isolationMemory(512)).filter((flag) => !flag.startsWith("--"))).toEqual([]);
});
