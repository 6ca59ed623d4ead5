import { describe, expect, type MockInstance, test, vi } from "vitest";
import { Isolation } from "../../../shared/consumer/attempts/isolation.ts";
import { PermanentError } from "../../../shared/index.ts";
import { envelopeBody } from "../../../shared/messages/envelope.ts";
import { ConsumerWorld, RUN } from "../../helpers/consumer-world.ts";

const error = new Error("down");
const down = () => Promise.reject(error);
const REFILL = { until: Number.POSITIVE_INFINITY, waitingMilliseconds: 10_000, visibilityTimeoutSeconds: 60 };
const ITEM = { run: RUN, page: 0, index: 0, epoch: 1, redrives: 0 };

/** What the logger was called with, without lines of other texts. */
const fieldsOf = (logged: MockInstance, text: string) =>
  logged.mock.calls.flatMap(([message, fields]) => (String(message).startsWith(text) ? [fields] : []));

// An operator who looks for the cause of a fault has only these lines.
describe("The line of the log names the error or the item of", () => {
  test("a message that could not be settled", async () => {
    const world = await ConsumerWorld.of(["a"]);
    world.store.before = (operation) => (operation === "update" ? down() : undefined);
    const logged = vi.spyOn(world.logger, "error");
    await world.consume({});
    const text = "a message could not be settled, so it will be received again";
    expect(fieldsOf(logged, text)).toEqual([{ messageId: "0", error }]);
  });

  test("a message that could not be looked up", async () => {
    const world = await ConsumerWorld.of(["a"]);
    world.store.before = down;
    const logged = vi.spyOn(world.logger, "error");
    await world.consume({});
    expect(fieldsOf(logged, "a message could not be looked up, so it will be received again")).toEqual([{ error }]);
  });

  test("an environment that cannot start a process", async () => {
    const world = await ConsumerWorld.of(["a"]);
    const run = vi.spyOn(Isolation.prototype, "run").mockResolvedValue({ tag: "not started", error });
    const logged = vi.spyOn(world.logger, "error");
    await world.consume({}, world.messages({ receiveCount: 2 }));
    run.mockRestore();
    expect(fieldsOf(logged, "an isolated attempt could not be started")).toEqual([{ error }]);
  });

  test("a visibility timeout of the batch that could not be set", async () => {
    const world = await ConsumerWorld.of(["a"]);
    world.sqs.before = (action) => (action === "changeVisibilities" ? down() : undefined);
    const logged = vi.spyOn(world.logger, "warn");
    await world.consume({}, world.messages(), { refill: REFILL });
    expect(fieldsOf(logged, "the batch keeps the queue's visibility timeout")).toEqual([{ error }]);
  });

  test("a delay that could not be set", async () => {
    const world = await ConsumerWorld.of(["a"]);
    world.sqs.before = (action) => (action === "changeVisibility" ? down() : undefined);
    const logged = vi.spyOn(world.logger, "warn");
    await world.consume({ task: down });
    const text = "a retry could not be scheduled, it follows after the visibility timeout";
    expect(fieldsOf(logged, text)).toEqual([{ error }]);
  });

  test("a delay that comes too late", async () => {
    const world = await ConsumerWorld.of(["a"]);
    let now = Date.now();
    const task = () => {
      now += 60_000;
      throw error;
    };
    const logged = vi.spyOn(world.logger, "warn");
    await world.consume({ task }, world.messages(), { refill: REFILL, now: () => now });
    expect(fieldsOf(logged, "a message keeps its place in the queue")).toEqual([{ messageId: "0" }]);
  });

  test("a dead letter", async () => {
    const world = await ConsumerWorld.of(["a"]);
    const logged = vi.spyOn(world.logger, "warn");
    await world.consume({ task: () => Promise.reject(new PermanentError("no")) });
    expect(fieldsOf(logged, "dead letter")).toEqual([{ ...ITEM, reason: "permanent", failure: "no" }]);
  });

  test("deaths that could not be counted, at a death and at the end", async () => {
    const world = await ConsumerWorld.of(["a", "b"], { count: 0, minimum: 100 });
    let isDead = false;
    world.sqs.before = (action) => {
      isDead ||= action === "send";
    };
    world.store.before = (operation, key) =>
      operation === "getMany" && key?.sk === "block" && isDead ? down() : undefined;
    const logged = vi.spyOn(world.logger, "warn");
    await world.consume({ task: () => Promise.reject(new PermanentError("no")) }, [world.message(0)]);
    expect(fieldsOf(logged, "could not check whether too many items have died")).toEqual([{ error }, { error }]);
  });

  test("a message of an earlier epoch of its page", async () => {
    const world = await ConsumerWorld.of(["a"], undefined, ["d", "changed"]);
    const logged = vi.spyOn(world.logger, "info");
    await world.consume({}, world.messages({ receiveCount: 2 }));
    expect(fieldsOf(logged, "dropped a message of an earlier epoch of its page")).toEqual([ITEM]);
  });

  test("a message that newer code must handle, once", async () => {
    const world = await ConsumerWorld.of(["a"]);
    const header = { workflow: "test", run: RUN, partition: 0, page: 0, epoch: 1, resent: false, results: true };
    const logged = vi.spyOn(world.logger, "warn");
    await world.consume(
      {},
      [0, 1].map((index) => world.raw(envelopeBody(header, index, '"a"'), { id: String(index) })),
    );
    expect(fieldsOf(logged, "returned messages to the queue")).toEqual([
      { error: expect.objectContaining({ code: "NO_RESULT_STORE" }) },
    ]);
  });
});
