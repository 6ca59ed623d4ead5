import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Overlap } from "../../../shared/definition/workflow.ts";
import { items, type WorkflowOptions } from "../../../shared/index.ts";
import { ACTIVE_KEY } from "../../../shared/ledger/active-runs.ts";
import { runKey } from "../../../shared/ledger/keys.ts";
import { continueEntry, parseControlMessage, startEntry } from "../../../shared/messages/control.ts";
import { pageKey } from "../../../shared/messages/item-address.ts";
import { ProducerWorld, REQUESTED_AT, RUN } from "../../helpers/producer-world.ts";

const done = { tag: "done" };

/** Its source has more than one page, so that each run that begins sends a continuation. */
const worldOf = (workflow: Partial<WorkflowOptions>) =>
  new ProducerWorld({ source: items(Array.from({ length: 300 }, (_, item) => item)), ...workflow });

/** A workflow with a run, `RUN`, that already works. */
async function working(overlap?: Overlap) {
  const world = worldOf(overlap === undefined ? {} : { overlap });
  await world.start();
  world.sqs.control.length = 0;
  return world;
}

/** The runs whose continuation was sent, in order. */
const begun = (world: ProducerWorld) =>
  world.sqs.control
    .map(({ body }) => parseControlMessage(body))
    .filter(({ type }) => type === "continue")
    .map(({ run }) => run);

describe("a start by the schedule", () => {
  test("begins a run if no other run works", async () => {
    const world = worldOf({});
    expect(await world.startScheduled("tuesday")).toEqual(done);
    expect(await world.runs.get("tuesday")).toMatchObject({ status: "running" });
    expect(begun(world)).toEqual(["tuesday"]);
  });

  test.each<Overlap>(["skip", "queue", "allow"])(
    "sends no page, with overlap %s, because a continuation of its run is in another message group",
    async (overlap) => {
      const world = worldOf({ overlap });
      await world.startScheduled("tuesday");
      expect(world.messages).toEqual([]);
      expect((await world.runs.get("tuesday")).checkpoint).toMatchObject({ count: 0, pages: 0 });
    },
  );

  test.each<Overlap>(["skip", "queue"])(
    "begins one run if two starts are handled at the same time, with overlap %s",
    async (overlap) => {
      const world = worldOf({ overlap });
      const verdicts = await Promise.all([world.startScheduled("monday"), world.startScheduled("tuesday")]);
      const [run] = begun(world);
      expect(begun(world)).toEqual([run]);
      const other = run === "monday" ? "tuesday" : "monday";
      const waits = { tag: "wait", milliseconds: 30_000 };
      expect(verdicts[other === "monday" ? 0 : 1]).toEqual(overlap === "skip" ? done : waits);
      if (overlap === "skip") expect(await world.runs.get(other)).toMatchObject({ status: "skipped" });
    },
  );

  test.each<Overlap>(["skip", "queue", "allow"])(
    "that is delivered twice begins one run, with overlap %s",
    async (overlap) => {
      const world = worldOf({ overlap });
      await world.startScheduled("tuesday");
      // The run works now. It must not count as its own earlier run.
      expect(await world.startScheduled("tuesday", 2)).toEqual(done);
      expect(await world.runs.latest(5)).toMatchObject([{ id: "tuesday", status: "running" }]);
      expect(new Set(world.sqs.control.map(({ deduplicationId }) => deduplicationId))).toEqual(
        new Set(["continue-tuesday-1"]),
      );
    },
  );

  test("that is delivered after its run has continued is dropped", async () => {
    const world = worldOf({});
    await world.startScheduled("tuesday");
    await world.runs.progress.takeUp("tuesday", 1);
    world.sqs.control.length = 0;
    await world.startScheduled("tuesday", 2);
    expect(world.sqs.control).toEqual([]);
  });

  test("that is delivered after its run has ended does not make the run active again", async () => {
    const world = worldOf({});
    await world.startScheduled("tuesday");
    await world.runs.cancel("tuesday");
    await world.handle(continueEntry({ workflow: "test", run: "tuesday", hop: 1 }));
    expect((await world.runs.get("tuesday")).status).toBe("cancelled");
    // A reader of the active runs removes those that have ended.
    await world.runs.active.list();
    const active = async () => Object.keys((await world.store.get(ACTIVE_KEY)) ?? {});
    expect(await active()).not.toContain("run tuesday");
    expect(await world.startScheduled("tuesday", 2)).toEqual(done);
    expect(await active()).not.toContain("run tuesday");
  });

  test.each([[undefined], ["skip"] as const])("is skipped while an earlier run works (overlap %s)", async (overlap) => {
    const world = await working(overlap);
    expect(await world.startScheduled("tuesday")).toEqual(done);
    expect(await world.runs.get("tuesday")).toMatchObject({
      status: "skipped",
      failure: `run ${RUN} was still active`,
    });
    expect(begun(world)).toEqual([]);
    // So is its second delivery, even if the earlier run has ended.
    await world.runs.progress.fail(RUN, "for a test");
    expect(await world.startScheduled("tuesday", 2)).toEqual(done);
    expect(await world.runs.get("tuesday")).toMatchObject({ status: "skipped" });
    expect(begun(world)).toEqual([]);
  });

  test("begins a run beside an earlier run with overlap allow", async () => {
    const world = await working("allow");
    await world.startScheduled("tuesday");
    expect(begun(world)).toEqual(["tuesday"]);
  });

  test("waits for an earlier run with overlap queue, and then begins its own run", async () => {
    const world = await working("queue");
    expect(await world.startScheduled("tuesday")).toEqual({ tag: "wait", milliseconds: 30_000 });
    expect(await world.runs.find("tuesday")).toBeUndefined();
    await world.runs.progress.fail(RUN, "for a test");
    expect(await world.startScheduled("tuesday", 2)).toEqual(done);
    expect(begun(world)).toEqual(["tuesday"]);
  });

  test("waits any number of times, and is replaced by a new message well before the receive limit", async () => {
    const world = await working("queue");
    expect(await world.startScheduled("tuesday", 49)).toMatchObject({ tag: "wait" });
    expect(world.sqs.control).toEqual([]);
    expect(await world.startScheduled("tuesday", 50)).toEqual(done);
    expect(world.sqs.control).toMatchObject([{ group: "test", deduplicationId: "start-tuesday-1" }]);
    const sent = (place: number) => world.sqs.control[place] ?? { body: "", group: "" };
    expect(parseControlMessage(sent(0).body)).toMatchObject({
      type: "start",
      run: "tuesday",
      scheduled: true,
      hop: 1,
    });
    // And so on. No two of them have the same de-duplication id.
    expect(await world.handle(sent(0), 50)).toEqual(done);
    expect(world.sqs.control[1]?.deduplicationId).toBe("start-tuesday-2");
    await world.runs.progress.fail(RUN, "for a test");
    await world.handle(sent(1));
    expect(begun(world)).toEqual(["tuesday"]);
  });
});

describe("a run that takes 100 ticks of its schedule", () => {
  const minute = (tick: number) => new Date(Date.parse(REQUESTED_AT) + tick * 60_000).toISOString();
  const tick = (world: ProducerWorld, number: number, receiveCount = 1) =>
    world.startScheduled(`tick-${number}`, receiveCount, minute(number));
  const finish = async ({ runs }: ProducerWorld, id: string) => {
    const run = await runs.get(id);
    await runs.progress.checkpoint(run, { ...run.checkpoint, ended: true });
  };

  test("is the only run, with overlap skip: 99 are skipped", async () => {
    const world = worldOf({ overlap: "skip" });
    for (let number = 0; number < 100; number++) expect(await tick(world, number)).toEqual(done);
    const runs = await world.runs.latest(200);
    expect(runs.filter(({ status }) => status === "running").map(({ id }) => id)).toEqual(["tick-0"]);
    expect(
      runs.filter(({ status, failure }) => status === "skipped" && failure === "run tick-0 was still active"),
    ).toHaveLength(99);
    expect(begun(world)).toEqual(["tick-0"]);
    await finish(world, "tick-0");
    await tick(world, 100);
    expect(begun(world)).toEqual(["tick-0", "tick-100"]);
  });

  test("is the only run, with overlap queue: the next run waits", async () => {
    const world = worldOf({ overlap: "queue" });
    await tick(world, 0);
    const first = await world.runs.get("tick-0");
    // Runs that an earlier definition of the workflow left.
    for (let number = 1; number < 30; number++) {
      await world.runs.skip({ id: `skipped-${number}`, workflow: "test", requestedAt: minute(number) }, first);
    }
    for (let number = 30; number < 100; number++) {
      expect(await tick(world, 30, number - 29 < 50 ? number - 29 : 49)).toEqual({ tag: "wait", milliseconds: 30_000 });
    }
    expect(begun(world)).toEqual(["tick-0"]);
    expect(await world.runs.find("tick-30")).toBeUndefined();
    await finish(world, "tick-0");
    await tick(world, 30, 49);
    expect(begun(world)).toEqual(["tick-0", "tick-30"]);
  });

  test("that began before the deploy of this code also blocks the next run", async () => {
    const world = worldOf({ overlap: "skip" });
    await tick(world, 0);
    for (let number = 1; number < 30; number++) await tick(world, number);
    // A ledger from before the rows of active runs.
    await world.runs.progress.takeUp("tick-0", 1);
    await world.store.update(ACTIVE_KEY, { remove: ["run tick-0", "change", "complete"] });
    await tick(world, 30);
    expect(begun(world)).toEqual(["tick-0"]);
    expect(await world.runs.get("tick-30")).toMatchObject({ status: "skipped" });
  });
});

describe("a start by the schedule that dies", () => {
  test.each<Overlap>(["skip", "queue"])(
    "before or after any of its writes is followed by its redelivery, and one run works, with overlap %s",
    async (overlap) => {
      for (let death = 0; ; death++) {
        const world = worldOf({ overlap });
        let operations = 0;
        world.store.before = () => operations++ === death && Promise.reject(new Error("died"));
        const died = await world.startScheduled("monday").then(
          () => false,
          () => true,
        );
        world.store.before = () => {};
        // Another start is delivered in between: it begins, or gives way.
        await world.handle(startEntry({ workflow: "test", run: "by-hand", requestedAt: REQUESTED_AT }));
        const verdict = await world.startScheduled("monday", 2);
        const monday = await world.runs.find("monday");
        const isActive = monday?.status === "running" && begun(world).includes("monday");
        // A run that became active before the other run stays active.
        if (isActive) expect(begun(world)).toContain("monday");
        else if (overlap === "skip") expect(monday?.status).toBe("skipped");
        else expect(verdict).toMatchObject({ tag: "wait" });
        await finishAll(world);
        if (verdict.tag === "wait") expect(await world.startScheduled("monday", 3)).toEqual(done);
        await finishAll(world);
        await world.startScheduled("tuesday");
        expect(begun(world)).toContain("tuesday");
        if (!died) break;
      }
    },
  );

  async function finishAll({ runs, store }: ProducerWorld) {
    for (const { id } of await runs.active.list()) {
      await store.update(runKey(id), { set: { status: "completed", completedAt: REQUESTED_AT } });
    }
  }
});

describe("an earlier run", () => {
  const completed = async ({ runs }: ProducerWorld) => {
    const run = await runs.get(RUN);
    await runs.progress.checkpoint(run, { ...run.checkpoint, ended: true });
  };
  const skipped = async ({ runs }: ProducerWorld) => {
    const earlier = await runs.get(RUN);
    await runs.skip({ id: "monday", workflow: "test", requestedAt: earlier.requestedAt }, earlier);
    await runs.progress.fail(RUN, "for a test");
  };

  test.each<[string, (world: ProducerWorld) => Promise<unknown>, boolean]>([
    ["that is paused", ({ runs }) => runs.pause(RUN), true],
    ["that is being cancelled", ({ runs }) => runs.cancel(RUN), true],
    ["that failed", ({ runs }) => runs.progress.fail(RUN, "the source is gone"), false],
    ["that has completed", completed, false],
    ["that was skipped itself", skipped, false],
  ])("%s blocks the next run, or not", async (_, change, inTheWay) => {
    const world = await working();
    await change(world);
    await world.startScheduled("tuesday");
    expect((await world.runs.get("tuesday")).status).toBe(inTheWay ? "skipped" : "running");
  });

  test("does not block a start by hand", async () => {
    const world = await working("skip");
    expect(await world.handle(startEntry({ workflow: "test", run: "by-hand", requestedAt: REQUESTED_AT }))).toEqual(
      done,
    );
    expect(begun(world)).toEqual(["by-hand"]);
  });
});

describe("a run that is started by hand", () => {
  /** A world whose run cannot become one of the active runs before `enter` is called. */
  function slowToEnter() {
    const world = worldOf({});
    const { promise: entered, resolve: enter, reject: refuse } = Promise.withResolvers<void>();
    const { promise: written, resolve: pageIsWritten } = Promise.withResolvers<void>();
    world.store.before = (operation, key) => {
      if (operation !== "update") return;
      const page = pageKey({ run: RUN, partition: 0, page: 0 });
      if (key?.pk === page.pk && key.sk === page.sk) pageIsWritten();
      return key?.pk === ACTIVE_KEY.pk ? entered : undefined;
    };
    return { world, enter, refuse, written };
  }

  test("writes its first page while it becomes one of the active runs, and sends it afterwards", async () => {
    const { world, enter, written } = slowToEnter();
    const started = world.startWithPage();
    await written;
    await setImmediate();
    expect(world.messages).toEqual([]);
    expect(world.sqs.control).toEqual([]);
    enter();
    expect(await started).toEqual(done);
    expect(world.messages.length).toBeGreaterThan(0);
    expect(world.hops).toEqual([1]);
  });

  test("sends no continuation if it could not become an active run, and its start is delivered again", async () => {
    const { world, refuse, written } = slowToEnter();
    const started = world.startWithPage();
    await written;
    refuse(new Error("the table is throttled"));
    await expect(started).rejects.toThrow("the table is throttled");
    expect(world.messages).toEqual([]);
    expect(world.sqs.control).toEqual([]);
    world.store.before = () => {};
    expect(await world.start()).toEqual(done);
    expect((await world.runs.active.list()).map(({ id }) => id)).toEqual([RUN]);
    expect(world.hops).toEqual([1]);
  });
});
