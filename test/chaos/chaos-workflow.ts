import { setTimeout } from "node:timers/promises";
import * as z from "zod";
import { defineWorkflow, PermanentError, RetryLater, type TaskContext, Throttled } from "../../shared/index.ts";
import type { Entry } from "./journal.ts";
import {
  ATTEMPTS,
  FLAKY_FAILURES,
  KINDS,
  type Kind,
  type Plan,
  TASK_TIMEOUT_MILLISECONDS,
  WAITS,
  WORKFLOW,
} from "./plan.ts";

/** What the workflow's code does to its process. */
export interface ProcessHooks {
  /** Writes a line into the journal. */
  readonly write: (entry: Entry) => void;
  /** Ends the process, as `process.exit` does. */
  readonly exit: () => Promise<never>;
  /** Kills the process with SIGKILL. */
  readonly kill: () => Promise<never>;
  /** Blocks the process for ever. */
  readonly spin: () => Promise<never>;
}

const toItem = (kind: Kind, item: number) => {
  if (kind === "invalid") return { item, kind: "no kind of ours" };
  return kind === "unsendable" ? { item, kind, number: Number.NaN } : { item, kind };
};

const KIND_NAMES = Object.keys(KINDS) as [Kind, ...Kind[]];

const isWait = (error: unknown) => error instanceof RetryLater || error instanceof Throttled;

async function work(
  item: number,
  kind: Kind,
  { signal, attempt, waits }: TaskContext,
  { exit, kill, spin }: ProcessHooks,
): Promise<unknown> {
  switch (kind) {
    case "slow":
      return await setTimeout(TASK_TIMEOUT_MILLISECONDS / 2, undefined, { signal });
    case "flaky":
      await setTimeout(item % 30);
      if (attempt <= FLAKY_FAILURES) throw new TypeError(`attempt ${attempt} fails`);
      return;
    case "waiting":
      if (waits < WAITS) throw waits % 2 === 0 ? new RetryLater({ milliseconds: 300 }) : new Throttled();
      return;
    case "overdue":
      throw new RetryLater({ minutes: 6 });
    case "permanent":
      throw new PermanentError("it is known to be bad");
    case "hopeless":
      return await Promise.reject();
    case "stuck, heeds its signal":
      return await setTimeout(1_000_000, undefined, { signal });
    case "stuck, ignores its signal":
      return await new Promise(() => {});
    case "exits":
      await setTimeout(item % 30);
      return await exit();
    case "kills":
      await setTimeout(item % 30);
      return await kill();
    case "spins":
      return await spin();
    default:
      return await setTimeout(5 + (item % 50), undefined, { signal });
  }
}

/** The position after the last item of a partition. */
function endOf({ partitions, items }: Plan, id: string | undefined): number {
  const place = id === undefined ? undefined : Number(id.split(" ")[1]);
  return (place === undefined ? undefined : partitions?.[place + 1]) ?? items.length;
}

/**
 * A workflow with every kind of item. Its tasks write a journal, with which the checker compares the ledger.
 *
 * @param hooks Those of the process that runs the workflow.
 */
export const chaosWorkflow = (plan: Plan, hooks: ProcessHooks) => {
  const { write } = hooks;
  const { partitions, producers = 1 } = plan;
  let reads = 0;
  let brokenReads = 0;
  return defineWorkflow({
    name: WORKFLOW,
    source: {
      ...(partitions !== undefined && {
        // The first partition has no cursor.
        partitions: () => partitions.map((cursor, place) => ({ id: `part ${place}`, ...(place > 0 && { cursor }) })),
      }),
      async readPage(cursor, { signal, partition }) {
        const from = Number(cursor ?? 0);
        const end = endOf(plan, partition?.id);
        write({ type: "read", from });
        // A page that is read ahead and not needed any more is given up, as a request is.
        await setTimeout(plan.readMilliseconds, undefined, { signal });
        const { brokenPartition } = plan;
        if (brokenPartition !== undefined && partition?.id === `part ${brokenPartition.place}`) {
          if (brokenReads++ < brokenPartition.reads) throw new PermanentError("the partition is damaged");
        }
        const read = reads++;
        if (plan.failingReads.includes(read)) throw new Error("the source does not answer");
        const refused = plan.refusedReads.find((each) => each.read === read);
        if (refused !== undefined) {
          write({ type: "refused", forMilliseconds: refused.milliseconds });
          throw new RetryLater({ milliseconds: refused.milliseconds });
        }
        const to = Math.min(from + plan.pageSize, end);
        const items = plan.items.slice(from, to).map((kind, offset) => toItem(kind, from + offset));
        return { items, next: to < end ? to : undefined };
      },
    },
    item: z.object({ item: z.int(), kind: z.enum(KIND_NAMES) }),
    task: async ({ item, kind }, context: TaskContext) => {
      const key = crypto.randomUUID();
      write({ type: "start", item, id: context.id, key, attempt: context.attempt });
      context.signal.addEventListener("abort", () => write({ type: "abort", key }));
      try {
        await work(item, kind, context, hooks);
        write({ type: "end", key, ok: true });
        // The result of the attempt.
        return key;
      } catch (error) {
        write({ type: "end", key, ok: false, ...(isWait(error) && { wait: true }) });
        throw error;
      }
    },
    onComplete: (summary, { attempt }) => {
      if (attempt <= plan.failingCompletions) {
        write({ type: "completion failed" });
        throw new Error("nobody listens");
      }
      write({ type: "complete", summary: { ...summary } });
    },
    concurrency: plan.environments * plan.tasksPerEnvironment,
    tasksPerEnvironment: plan.tasksPerEnvironment,
    timeout: { milliseconds: TASK_TIMEOUT_MILLISECONDS },
    retry: {
      attempts: ATTEMPTS,
      waitAtMost: { minutes: 5 },
      backoff: { base: { milliseconds: 100 }, cap: { seconds: 1 } },
    },
    producers,
    refill: plan.refill,
    // Here `Throttled` is an answer of the item and not of a service under load. The search would slow the whole run down.
    adaptive: false,
    ...(plan.maxBacklog !== undefined && { maxBacklog: plan.maxBacklog }),
    ...(plan.toleratedFailures !== undefined && { toleratedFailures: plan.toleratedFailures }),
    ...(plan.results === true && { results: true }),
    ...(plan.rateLimit !== undefined && { rateLimit: plan.rateLimit }),
    memoryMb: 256,
  });
};
