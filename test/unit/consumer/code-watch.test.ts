import type { StandardSchemaV1 } from "@standard-schema/spec";
import { beforeEach, describe, expect, test } from "vitest";
import * as z from "zod";
import { CodeWatch } from "../../../shared/consumer/code-watch.ts";
import { RunWatch } from "../../../shared/consumer/run-watch.ts";
import { PermanentError } from "../../../shared/index.ts";
import { Ledger } from "../../../shared/ledger/ledger.ts";
import { ConsumerWorld, RUN } from "../../helpers/consumer-world.ts";
import { FaultyStore } from "../../helpers/faulty-store.ts";

const NOW = Date.parse("2026-11-27T12:00:00.000Z");

let store: FaultyStore;
let runs: Ledger["runs"];

beforeEach(() => {
  store = new FaultyStore();
  ({ runs } = new Ledger(store, () => NOW));
});

const begin = async (codeVersion?: string) =>
  await runs.create({ id: RUN, workflow: "test", requestedAt: new Date(NOW).toISOString(), codeVersion });

describe("a run", () => {
  test("keeps the version of the code with which it began", async () => {
    expect(await begin("v1")).toMatchObject({ codeVersion: "v1" });
    // A start message that is delivered twice does not change it.
    expect(await begin("v2")).toMatchObject({ codeVersion: "v1" });
  });

  test("that other code works on says so, with one write for each process", async () => {
    await begin("v1");
    const watch = new CodeWatch(runs, "v2");
    store.updates.length = 0;
    expect(await watch.changeSince(RUN)).toEqual({ from: "v1", to: "v2" });
    watch.note(await runs.get(RUN));
    expect(await watch.changeSince(RUN)).toEqual({ from: "v1", to: "v2" });
    expect(store.updates).toHaveLength(1);
    expect(await runs.get(RUN)).toMatchObject({ codeVersion: "v1", codeChange: { version: "v2", at: NOW } });
    // Another process of the same code writes nothing.
    new CodeWatch(runs, "v2").note(await runs.get(RUN));
    await watch.changeSince(RUN);
    expect(store.updates).toHaveLength(1);
  });

  test("is noted once, also if the ledger returns it again before the note is written", async () => {
    const run = await begin("v1");
    const watch = new CodeWatch(runs, "v2");
    store.updates.length = 0;
    watch.note(run);
    watch.note(run);
    await watch.settled();
    watch.note(run);
    await watch.settled();
    expect(store.updates).toHaveLength(1);
  });

  test("is settled only when the note is written", async () => {
    const run = await begin("v1");
    const watch = new CodeWatch(runs, "v2");
    const order: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    store.before = () => promise;
    watch.note(run);
    const settled = watch.settled().then(() => order.push("settled"));
    await new Promise((next) => setImmediate(next));
    order.push("written");
    resolve();
    await settled;
    expect(order).toEqual(["written", "settled"]);
    expect((await runs.get(RUN)).codeChange?.version).toBe("v2");
  });

  test.each([
    ["the same code works on it", "v1", "v1"],
    ["an older version of Sluice began it", undefined, "v2"],
    ["an older version of Sluice deployed the code", "v1", undefined],
  ])("says nothing if %s", async (_, began, works) => {
    const run = await begin(began);
    const watch = new CodeWatch(runs, works);
    watch.note(run);
    expect(await watch.changeSince(RUN)).toBeUndefined();
    expect((await runs.get(RUN)).codeChange).toBeUndefined();
  });

  test("is watched by what the ledger answers anyway", async () => {
    await begin("v1");
    const watch = new CodeWatch(runs, "v2");
    const runWatch = new RunWatch(runs, () => NOW, watch.note);
    runWatch.begin();
    expect(await runWatch.mode(RUN)).toBe("work");
    expect(await watch.changeSince(RUN)).toEqual({ from: "v1", to: "v2" });
    expect((await runs.get(RUN)).codeChange).toEqual({ version: "v2", at: NOW });
  });

  test("works on if its change cannot be read or written", async () => {
    await begin("v1");
    store.before = () => {
      throw new Error("the ledger does not answer");
    };
    expect(await new CodeWatch(runs, "v2").changeSince(RUN)).toBeUndefined();
  });
});

describe("an item that is invalid", () => {
  const item = z.object({ name: z.string().max(3) });

  async function messageOf(
    began: string | undefined,
    works: string,
    schema: StandardSchemaV1 = item,
  ): Promise<string | undefined> {
    const world = await ConsumerWorld.of([{ name: "Bern" }]);
    if (began !== undefined) await world.store.update({ pk: `run#${RUN}`, sk: "run" }, { set: { codeVersion: began } });
    await world.consume({ item: schema }, world.messages(), { codeWatch: new CodeWatch(world.runs, works) });
    const [deadLetter] = world.deadLetters;
    expect(deadLetter?.dead.reason).toBe("invalid item");
    return deadLetter?.dead.failures[0]?.message;
  }

  test("for code that was deployed since the run began says so in its dead letter", async () => {
    expect(await messageOf("v1", "v2")).toMatch(
      / \(the run began with code version v1, and version v2 rejects this item\. .* deploy a correction and redrive/,
    );
  });

  test("has a message that is no longer than that of another item, even with the note", async () => {
    const issues = [{ message: "x".repeat(100_000) }];
    const schema = { "~standard": { version: 1, vendor: "test", validate: () => ({ issues }) } } as const;
    const [plain = "", noted = ""] = [await messageOf("v1", "v1", schema), await messageOf("v1", "v2", schema)];
    expect(noted).toMatch(/^the item fails the workflow's schema: x+… .*redrive the item\)$/);
    expect(Buffer.byteLength(noted)).toBeLessThanOrEqual(Buffer.byteLength(plain));
  });

  test("for the code of its run has no such note", async () => {
    expect(await messageOf("v1", "v1")).not.toContain("code version");
    expect(await messageOf(undefined, "v2")).not.toContain("code version");
  });
});

test("An attempt that fails for another reason than its schema has no note about the code", async () => {
  const world = await ConsumerWorld.of(["a"]);
  await world.store.update({ pk: `run#${RUN}`, sk: "run" }, { set: { codeVersion: "v1" } });
  const task = () => Promise.reject(new PermanentError("no"));
  await world.consume({ task }, world.messages(), { codeWatch: new CodeWatch(world.runs, "v2") });
  expect(world.deadLetters[0]?.dead.failures.map(({ message }) => message)).toEqual(["no"]);
});

describe("the memory of a watch", () => {
  const record = async (id: string) =>
    await runs.create({ id, workflow: "test", requestedAt: new Date(NOW).toISOString(), codeVersion: "v1" });

  test("holds a hundred runs, and then begins again", async () => {
    const watch = new CodeWatch(runs, "v1");
    for (let number = 0; number < 101; number++) await record(`run-${number}`);
    for (let number = 0; number < 100; number++) await watch.changeSince(`run-${number}`);
    store.reads = 0;
    for (let number = 0; number < 100; number++) await watch.changeSince(`run-${number}`);
    expect(store.reads).toBe(0);
    await watch.changeSince("run-100");
    expect(store.reads).toBe(1);
    await watch.changeSince("run-100");
    expect(store.reads).toBe(1);
    await watch.changeSince("run-0");
    expect(store.reads).toBe(2);
  });

  test("holds nothing if the version of the code is not known", async () => {
    const watch = new CodeWatch(runs, undefined);
    const run = await record("run-1");
    store.reads = 0;
    store.updates.length = 0;
    expect(await watch.changeSince("run-1")).toBeUndefined();
    watch.note(run);
    expect(await watch.changeSince("run-1")).toBeUndefined();
    await watch.settled();
    expect([store.reads, store.updates.length]).toEqual([0, 0]);
  });

  test("of a run that is not there, or of older code, says that nothing has changed", async () => {
    const watch = new CodeWatch(runs, "v2");
    expect(await watch.changeSince("nobody")).toBeUndefined();
    const run = await runs.create({ id: "old", workflow: "test", requestedAt: new Date(NOW).toISOString() });
    store.updates.length = 0;
    watch.note(run);
    expect(await watch.changeSince("old")).toBeUndefined();
    expect(store.updates).toEqual([]);
  });
});
