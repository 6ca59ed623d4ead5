import { expect, test } from "vitest";
import { blockAddressOf } from "../../../shared/ledger/keys.ts";
import { rawKey } from "../../../shared/results/object-keys.ts";
import { openResultSet } from "../../../shared/results/read-results.ts";
import { encodeRow } from "../../../shared/results/result-row.ts";
import { LanesWorld, partitioned } from "../../helpers/lanes-world.ts";
import { MemoryObjectStore } from "../../helpers/memory-object-store.ts";
import { RUN } from "../../helpers/producer-world.ts";

const PARTS = { a: ["a1", "a2", "a3"], b: [], c: ["c1", "c2"], d: ["d1"] };

test("results of a run with partitions are in the order of the partitions, while it works and after its compaction", async () => {
  const store = new MemoryObjectStore();
  let ids = 0;
  const newId = () => `${ids++}`;
  const source = partitioned(PARTS);
  const world = new LanesWorld({ source, producers: 2, results: true }, { resultStore: store, newId });
  world.announces = true;
  const read = async () => {
    const set = await openResultSet({ store, ledgerStore: world.store, runs: world.runs }, RUN);
    let text = "";
    for await (const { lines } of set.lines()) text += Buffer.from(lines).toString();
    const rows = text.split("\n").filter((line) => line !== "");
    return { rows: rows.map((line) => JSON.parse(line)), set };
  };
  const succeed = async (from: number) => {
    for (const { run, partition = 0, page, index, epoch, item } of world.messages.slice(from)) {
      const address = { run, partition, page };
      const key = rawKey(blockAddressOf(address), { first: page, last: page }, newId());
      const row = { page, epoch, index, generation: 0, result: JSON.stringify(item) };
      await store.put(key, Buffer.from(encodeRow(row)));
      const items = [{ index, redriveGeneration: 0, failures: 0 }];
      await world.ledger.outcomes.recordSuccesses({ ...address, epoch, items });
    }
  };
  await world.start();
  await world.deliver();
  // The second lane takes the first partition, and the first lane reads the others.
  await world.deliver((group) => group.startsWith("lane-1"), { sliceEnd: 0 });
  await world.deliver((group) => group.startsWith("lane-1"), { sliceEnd: 0 });
  await world.deliver((group) => group.startsWith("lane-0"));
  const sent = world.messages.length;
  await succeed(0);
  const working = await read();
  expect(working.set.manifest).toBeUndefined();
  expect(working.rows.map(({ result }) => result)).toEqual(world.items.toSorted());

  await world.drain();
  await succeed(sent);
  await world.drain();
  const { rows, set } = await read();
  expect(set.manifest).toMatchObject({ rows: 6, missing: 0 });
  expect(rows).toEqual([
    { id: `${RUN}/p1/0/0`, result: "a1" },
    { id: `${RUN}/p1/0/1`, result: "a2" },
    { id: `${RUN}/p1/1/0`, result: "a3" },
    { id: `${RUN}/p3/0/0`, result: "c1" },
    { id: `${RUN}/p3/0/1`, result: "c2" },
    { id: `${RUN}/p4/0/0`, result: "d1" },
  ]);
});
