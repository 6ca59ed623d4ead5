import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { QueueStore } from "../../../local/sqs/queue-store.ts";
import type { ReceivedMessage } from "../../../local/sqs/receive-messages.ts";

/** What a message ought to be. */
interface Expected {
  readonly body: string;
  readonly group: string;
  visibleAt: number;
  held: boolean;
  /** To how many seconds its receiver changed its visibility. */
  changedTo?: number | undefined;
  receives: number;
  /** The latest handle: only this one deletes. */
  handle?: string;
}

interface Model {
  now: number;
  sent: number;
  readonly messages: Map<string, Expected>;
  /** Every handle ever given, with its message's body. */
  readonly handles: { readonly handle: string; readonly body: string }[];
}

interface Real {
  store: QueueStore;
  readonly reopen: () => QueueStore;
  readonly queue: string;
}

type Step = fc.Command<Model, Real>;

const visibilitySeconds = 30;

/** To this a receiver changes the visibility of a message that it works on. Any other change is a backoff. */
const workingSeconds = 20;

function counts(model: Model) {
  const invisible = [...model.messages.values()].filter(({ visibleAt }) => visibleAt > model.now);
  const inFlight = invisible.filter(({ held }) => held).length;
  return { visible: model.messages.size - invisible.length, inFlight, delayed: invisible.length - inFlight };
}

function isFifo({ queue }: Real): boolean {
  return queue.endsWith(".fifo");
}

class Send implements Step {
  readonly group: string;
  readonly delaySeconds: number;
  constructor(group: string, delaySeconds: number) {
    this.group = group;
    this.delaySeconds = delaySeconds;
  }
  check = () => true;
  run(model: Model, real: Real) {
    const body = `m${model.sent++}`;
    const delaySeconds = isFifo(real) ? 0 : this.delaySeconds;
    const fifo = isFifo(real) ? { groupId: this.group, deduplicationId: body } : { delaySeconds };
    real.store.send(real.queue, { body, ...fifo });
    model.messages.set(body, {
      body,
      group: this.group,
      visibleAt: model.now + delaySeconds * 1_000,
      held: false,
      receives: 0,
    });
    expect(real.store.counts(real.queue)).toEqual(counts(model));
  }
  toString = () => `send(${this.group}, delay ${this.delaySeconds})`;
}

class Receive implements Step {
  readonly max: number;
  constructor(max: number) {
    this.max = max;
  }
  check = () => true;
  run(model: Model, real: Real) {
    const received = real.store.receive({ queue: real.queue, max: this.max });
    const available = receivable(model, real);
    expect(received).toHaveLength(Math.min(this.max, available.length));
    for (const message of received) this.#checkOne(model, available, message);
    if (isFifo(real)) checkOrder(model, received);
    for (const message of received) {
      const expected = model.messages.get(message.body);
      if (expected === undefined) continue;
      expected.visibleAt = model.now + visibilitySeconds * 1_000;
      expected.held = true;
      expected.changedTo = undefined;
      expected.receives += 1;
      expected.handle = message.receiptHandle;
      model.handles.push({ handle: message.receiptHandle, body: message.body });
    }
    expect(real.store.counts(real.queue)).toEqual(counts(model));
  }
  #checkOne(model: Model, available: readonly Expected[], message: ReceivedMessage) {
    const expected = model.messages.get(message.body);
    expect(expected, `${message.body} was deleted`).toBeDefined();
    expect(available, `${message.body} is not receivable`).toContain(expected);
    expect(message.systemAttributes.ApproximateReceiveCount).toBe(String((expected?.receives ?? 0) + 1));
  }
  toString = () => `receive(${this.max})`;
}

function receivable(model: Model, real: Real): Expected[] {
  const messages = [...model.messages.values()];
  const visible = messages.filter(({ visibleAt }) => visibleAt <= model.now);
  if (!isFifo(real)) return visible;
  // An invisible message blocks the messages of its group that were sent after it.
  const blocked = new Set<string>();
  return messages.filter(({ group, visibleAt }) => {
    if (visibleAt > model.now) blocked.add(group);
    return !blocked.has(group);
  });
}

/** Of each group the first messages came, in the order in which they were sent. */
function checkOrder(model: Model, received: readonly ReceivedMessage[]) {
  for (const group of new Set(received.map(({ systemAttributes }) => systemAttributes.MessageGroupId))) {
    const inGroup = received.filter(({ systemAttributes }) => systemAttributes.MessageGroupId === group);
    const sent = [...model.messages.values()].filter((message) => message.group === group);
    expect(inGroup.map(({ body }) => body)).toEqual(sent.slice(0, inGroup.length).map(({ body }) => body));
  }
}

/** A step with one of the handles that were ever given. */
abstract class HandleStep implements Step {
  readonly pick: number;
  constructor(pick: number) {
    this.pick = pick;
  }
  check = (model: Readonly<Model>) => model.handles.length > 0;
  run(model: Model, real: Real) {
    const { handle, body } = model.handles[this.pick % model.handles.length] ?? { handle: "", body: "" };
    this.take(model, real, { handle, body, expected: model.messages.get(body) });
    expect(real.store.counts(real.queue)).toEqual(counts(model));
  }
  abstract take(model: Model, real: Real, picked: Picked): void;
}

/** A handle, and the message that it names, if that is not deleted. */
interface Picked {
  readonly handle: string;
  readonly body: string;
  readonly expected: Expected | undefined;
}

class Delete extends HandleStep {
  override take(model: Model, real: Real, { handle, body, expected }: Picked) {
    const current = expected?.handle === handle;
    const expired = (expected?.visibleAt ?? 0) <= model.now;
    const [outcome] = real.store.deleteMessages(real.queue, [handle]);
    if (isFifo(real) && expected !== undefined && (!current || expired)) {
      expect(outcome?.ok).toBe(false);
    } else {
      expect(outcome?.ok).toBe(true);
      if (current) model.messages.delete(body);
    }
  }
  override toString = () => `delete(${this.pick})`;
}

class ChangeVisibility extends HandleStep {
  readonly seconds: number;
  constructor(pick: number, seconds: number) {
    super(pick);
    this.seconds = seconds;
  }
  override take(model: Model, real: Real, { handle, expected }: Picked) {
    const change = () => real.store.changeVisibility(real.queue, handle, this.seconds);
    const isInFlight = expected !== undefined && expected.handle === handle && expected.visibleAt > model.now;
    if (expected === undefined || (isFifo(real) && !isInFlight)) expect(change).toThrow();
    else {
      // On a standard queue, a handle of an earlier receive changes the message too, even if another receiver holds it now.
      change();
      expected.visibleAt = model.now + this.seconds * 1_000;
      expected.changedTo = this.seconds;
      expected.held = true;
    }
  }
  override toString = () => `changeVisibility(${this.pick}, ${this.seconds})`;
}

class Undo extends HandleStep {
  override take(model: Model, real: Real, { handle, expected }: Picked) {
    real.store.undoReceives(real.queue, [handle]);
    if (expected?.handle === handle) {
      Object.assign(expected, { visibleAt: model.now, held: false, receives: expected.receives - 1 });
      delete expected.handle;
    }
  }
  override toString = () => `undo(${this.pick})`;
}

/** As after a crash: the receivers of all messages are gone. */
class Reopen implements Step {
  check = () => true;
  run(model: Model, real: Real) {
    real.store.close();
    real.store = real.reopen();
    real.store.releaseOrphans({ [real.queue]: workingSeconds });
    for (const expected of model.messages.values()) {
      const { held, changedTo = workingSeconds, visibleAt } = expected;
      if (!held || changedTo !== workingSeconds || visibleAt <= model.now) continue;
      // A handle of a receive that was undone can hide a message that counts no receive.
      Object.assign(expected, { visibleAt: model.now, held: false, receives: Math.max(0, expected.receives - 1) });
    }
    model.handles.length = 0;
    expect(real.store.counts(real.queue)).toEqual(counts(model));
  }
  toString = () => "reopen";
}

class Advance implements Step {
  readonly ms: number;
  constructor(ms: number) {
    this.ms = ms;
  }
  check = () => true;
  run(model: Model, real: Real) {
    model.now += this.ms;
    expect(real.store.counts(real.queue)).toEqual(counts(model));
  }
  toString = () => `advance(${this.ms})`;
}

const steps = fc.commands(
  [
    fc
      .tuple(fc.constantFrom("a", "b", "c"), fc.constantFrom(0, 0, 0, 1, 20))
      .map(([group, delay]) => new Send(group, delay)),
    fc.integer({ min: 1, max: 5 }).map((max) => new Receive(max)),
    fc.nat(50).map((pick) => new Delete(pick)),
    fc.nat(50).map((pick) => new Undo(pick)),
    fc.constant(new Reopen()),
    fc
      .tuple(fc.nat(50), fc.constantFrom(0, 1, workingSeconds, 60))
      .map(([pick, seconds]) => new ChangeVisibility(pick, seconds)),
    fc.constantFrom(1, 999, 1_000, 30_000, 60_000).map((ms) => new Advance(ms)),
  ],
  { maxCommands: 60 },
);

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-model-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe.each(["q", "q.fifo"])("any history of %s", (queue) => {
  it("loses nothing, shows nothing too early and counts exactly", () => {
    fc.assert(
      fc.property(steps, (commands) => {
        const model: Model = { now: 1_000_000_000_000, sent: 0, messages: new Map(), handles: [] };
        const file = join(folder, `${randomUUID()}.db`);
        const reopen = () => new QueueStore({ file, clock: () => model.now });
        const real: Real = { store: reopen(), reopen, queue };
        try {
          real.store.createQueue(queue, queue.endsWith(".fifo") ? { FifoQueue: "true" } : {});
          fc.modelRun(() => ({ model, real }), commands);
          const { store } = real;
          // Nothing is lost: after all timeouts everything that was not deleted can be received.
          model.now += 3_600_000;
          const rest = new Set<string>();
          for (
            let round = store.receive({ queue, max: 10 });
            round.length > 0;
            round = store.receive({ queue, max: 10 })
          ) {
            for (const { body, receiptHandle } of round) {
              rest.add(body);
              store.deleteMessage(queue, receiptHandle);
            }
          }
          expect([...rest].sort()).toEqual([...model.messages.keys()].sort());
          expect(store.counts(queue)).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
        } finally {
          real.store.close();
        }
      }),
      { numRuns: 200 },
    );
  });
});
