import { describe, expect, test } from "vitest";
import { PermanentError } from "../../../shared/index.ts";
import { endedAttribute } from "../../../shared/ledger/group-row.ts";
import { groupKey, lanesKey } from "../../../shared/ledger/keys.ts";
import { partitionStates } from "../../../shared/ledger/partition-states.ts";
import { partitionKey } from "../../../shared/messages/item-address.ts";
import { LanesWorld, partitioned } from "../../helpers/lanes-world.ts";
import { RUN } from "../../helpers/producer-world.ts";

const lane = (number: number) => (group: string) => group === `lane-${number}-${RUN}`;
const all = { offset: 0, limit: 100 };

describe("The states of a run's partitions", () => {
  test("say nothing before the list is complete", async () => {
    const world = new LanesWorld({ source: partitioned({ eu: [1] }), producers: 1 });
    await world.start();
    expect(await partitionStates(world.store, await world.run(), all)).toEqual({
      ...{ total: null, phases: {}, matching: 0, rows: [] },
    });
  });

  test("name each partition as the source did, with its progress and why it failed", async () => {
    const source = partitioned({ eu: [1, 2, 3], us: [4], "the rest": [5, 6, 7], last: [8] });
    source.before = (id) => {
      if (id === "us") throw new PermanentError("no rights");
    };
    const world = new LanesWorld({ source, producers: 2 });
    await world.start();
    await world.deliver((group) => group === RUN);
    // Each slice of lane 0 ends after a page. Lane 1 fails to read its partition, and takes the next one.
    for (const number of [0, 0, 1, 1, 1]) await world.deliver(lane(number), { sliceEnd: 0 });
    const { total, phases, rows } = await partitionStates(world.store, await world.run(), all);
    expect({ total, phases }).toEqual({ total: 4, phases: { reading: 2, failed: 1, waiting: 1 } });
    expect(rows).toEqual([
      { number: 1, id: "eu", phase: "reading", pages: 1, items: 2, problem: null },
      {
        number: 2,
        id: "us",
        phase: "failed",
        pages: 0,
        items: 0,
        problem: 'partition "us": the source threw: no rights',
      },
      { number: 3, id: "the rest", phase: "reading", pages: 1, items: 2, problem: null },
      { number: 4, id: "last", phase: "waiting", pages: 0, items: 0, problem: null },
    ]);

    await world.drain();
    const ended = await partitionStates(world.store, await world.run(), all);
    expect(ended.phases).toEqual({ read: 3, failed: 1 });
    await world.succeed();
    const { rows: settled } = await partitionStates(world.store, await world.run(), { ...all, phases: ["settled"] });
    expect(settled.map(({ id, items }) => [id, items])).toEqual([
      ["eu", 3],
      ["the rest", 3],
      ["last", 1],
    ]);
  });

  test("say why the latest slice of a partition failed that is read again", async () => {
    const source = partitioned({ eu: [1, 2, 3] });
    source.before = () => {
      throw new Error("no answer");
    };
    const world = new LanesWorld({ source, producers: 1 });
    await world.start();
    await world.deliver((group) => group === RUN);
    await world.deliver(lane(0));
    expect((await partitionStates(world.store, await world.run(), all)).rows).toMatchObject([
      { phase: "reading", problem: expect.stringContaining("no answer") },
    ]);
  });

  test("say nothing of a failed slice of a partition that was read to its end, although its lane has not left it", async () => {
    const world = new LanesWorld({ source: partitioned({ eu: [1], us: [2] }), producers: 1 });
    await world.start();
    await world.deliver((group) => group === RUN);
    await world.store.update(lanesKey(RUN), { set: { "lane 0": 1, next: 2 } });
    await world.store.update(groupKey(RUN, 0), { set: endedAttribute(1, { pages: 3, items: 5 }) });
    // The slice that read the last page failed afterwards.
    const failed = { pages: 3, items: 5, ended: true, failedSlices: 2, sliceError: "no answer" };
    await world.store.update(partitionKey({ run: RUN, partition: 1 }), { set: failed });
    expect((await partitionStates(world.store, await world.run(), all)).rows[0]).toEqual({
      ...{ number: 1, id: "eu", phase: "read", pages: 3, items: 5, problem: null },
    });
  });

  test("have the numbers of the partitions instead of their names if the list has expired", async () => {
    const world = new LanesWorld({ source: partitioned({ eu: [1], us: [2] }), producers: 1 });
    await world.start();
    await world.deliver((group) => group === RUN);
    // No such list exists any more.
    await world.store.update(lanesKey(RUN), { set: { plan: 9 } });
    const { rows } = await partitionStates(world.store, await world.run(), all);
    expect(rows.map(({ id, phase }) => [id, phase])).toEqual([
      ["1", "waiting"],
      ["2", "waiting"],
    ]);
  });

  test("say which partitions a limit of items left out", async () => {
    const world = new LanesWorld({ source: partitioned({ eu: [1, 2], us: [3], asia: [4] }) });
    await world.start(2);
    await world.drain();
    expect((await partitionStates(world.store, await world.run(), all)).rows.map(({ phase }) => phase)).toEqual([
      "read",
      "left out",
      "left out",
    ]);
  });

  test("are read with few requests, a page at a time", async () => {
    const parts = Object.fromEntries(Array.from({ length: 250 }, (_, number) => [`part ${number}`, [number]]));
    const world = new LanesWorld({ source: partitioned(parts), producers: 3 });
    await world.start();
    await world.drain();
    const run = await world.run();
    const { matching, rows } = await partitionStates(world.store, run, { phases: ["read"], offset: 200, limit: 100 });
    expect(matching).toBe(250);
    expect(rows.map(({ id }) => id)).toEqual(Array.from({ length: 50 }, (_, index) => `part ${200 + index}`));
  });
});
