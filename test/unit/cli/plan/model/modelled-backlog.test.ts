import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ModelledBacklog } from "../../../../../cli/plan/model/modelled-backlog.ts";
import { ModelledQueue } from "../../../../../cli/plan/model/modelled-queue.ts";
import { REQUEST_MILLISECONDS } from "../../../../../cli/plan/model/request-time.ts";
import { VirtualClock } from "../../../../../cli/plan/model/virtual-clock.ts";
import { BacklogWatch } from "../../../../../shared/consumer/slots/backlog-watch.ts";

beforeEach(() => void vi.useFakeTimers({ now: 0 }));
afterEach(() => void vi.useRealTimers());

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** At a time, so many messages are sent, or the watch is asked. */
interface Step {
  readonly after: number;
  readonly sent: number;
  readonly isFilling: boolean;
}

const CONCURRENCY = 20;
const MEAN_MILLISECONDS = 200;
/** No step is at a time at which an answer arrives. */
const after = fc.integer({ min: 0, max: 60 }).map((tens) => 10 * tens + 1);

test("the model of the plan knows the queue's depth as the consumer does, and asks for it as often", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ after, sent: fc.nat({ max: 15 }), isFilling: fc.boolean() }), {
        minLength: 1,
        maxLength: 30,
      }),
      async (steps) => {
        expect(modelled(steps)).toEqual(await watched(steps));
      },
    ),
    { numRuns: 200 },
  );
});

function modelled(steps: readonly Step[]) {
  const clock = new VirtualClock();
  const queue = new ModelledQueue(clock, "ordered");
  const answers: boolean[] = [];
  let requests = 0;
  let changes = 0;
  const backlog = new ModelledBacklog(clock, queue, {
    request: () => {
      requests++;
    },
    change: () => {
      changes++;
    },
  });
  let time = 0;
  for (const { after: later, sent, isFilling } of steps) {
    time += later;
    clock.at(time, () => {
      queue.send(Array.from({ length: sent }, (_, number) => number));
      answers.push(backlog.fillsSlots(CONCURRENCY, MEAN_MILLISECONDS, isFilling));
    });
  }
  clock.run();
  return { answers, requests, changes };
}

async function watched(steps: readonly Step[]) {
  vi.setSystemTime(0);
  const answers: boolean[] = [];
  let visible = 0;
  let requests = 0;
  let changes = 0;
  const queue = {
    depth: async () => {
      requests++;
      await sleep(REQUEST_MILLISECONDS / 2);
      const found = visible;
      await sleep(REQUEST_MILLISECONDS / 2);
      return { visible: found, inFlight: 0, delayed: 0 };
    },
  };
  const watch = new BacklogWatch(queue, Date.now, () => {
    changes++;
  });
  for (const { after: later, sent, isFilling } of steps) {
    await vi.advanceTimersByTimeAsync(later);
    visible += sent;
    answers.push(watch.fillsSlots(CONCURRENCY, MEAN_MILLISECONDS, isFilling));
  }
  await vi.advanceTimersByTimeAsync(10_000);
  return { answers, requests, changes };
}
