import { setTimeout } from "node:timers/promises";
import * as z from "zod";
import { defineWorkflow, PermanentError, RetryLater, type TaskContext, Throttled } from "../../shared/index.ts";
import { type Entry, note } from "./journal.ts";
import { ATTEMPTS, FLAKY_FAILURES, KINDS, type Kind, TASK_TIMEOUT_MILLISECONDS, WAITS, WORKFLOW } from "./plan.ts";
import { directoryOfRun, readPlan } from "./settings.ts";

const directory = directoryOfRun();
const plan = readPlan(directory);
const write = (entry: Entry) => note(directory, entry);

write({ type: "process", role: roleOf(process.env.AWS_LAMBDA_FUNCTION_NAME) });
process.on("exit", () => write({ type: "exit" }));

function roleOf(functionName: string | undefined) {
  if (functionName === undefined) return "engine";
  if (functionName.endsWith("producer")) return "producer";
  return process.env.SLUICE_ISOLATED === undefined ? "consumer" : "isolated";
}

const toItem = (kind: Kind, item: number) => {
  if (kind === "invalid") return { item, kind: "no kind of ours" };
  return kind === "unsendable" ? { item, kind, number: Number.NaN } : { item, kind };
};

const KIND_NAMES = Object.keys(KINDS) as [Kind, ...Kind[]];

const isWait = (error: unknown) => error instanceof RetryLater || error instanceof Throttled;

let reads = 0;

async function work(item: number, kind: Kind, { signal, attempt, waits }: TaskContext): Promise<unknown> {
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
      return process.exit(1);
    case "kills":
      await setTimeout(item % 30);
      return process.kill(process.pid, "SIGKILL");
    case "spins":
      for (;;);
    default:
      return await setTimeout(5 + (item % 50), undefined, { signal });
  }
}

/** A workflow with every kind of item. Its tasks write a journal, with which the checker compares the ledger. */
export default defineWorkflow({
  name: WORKFLOW,
  source: {
    async readPage(cursor) {
      const from = Number(cursor ?? 0);
      write({ type: "read", from });
      await setTimeout(plan.readMilliseconds);
      const read = reads++;
      if (plan.failingReads.includes(read)) throw new Error("the source does not answer");
      const refused = plan.refusedReads.find((each) => each.read === read);
      if (refused !== undefined) {
        write({ type: "refused", forMilliseconds: refused.milliseconds });
        throw new RetryLater({ milliseconds: refused.milliseconds });
      }
      const to = from + plan.pageSize;
      const items = plan.items.slice(from, to).map((kind, offset) => toItem(kind, from + offset));
      return { items, next: to < plan.items.length ? to : undefined };
    },
  },
  item: z.object({ item: z.int(), kind: z.enum(KIND_NAMES) }),
  task: async ({ item, kind }, context: TaskContext) => {
    const key = crypto.randomUUID();
    write({ type: "start", item, id: context.id, key, attempt: context.attempt });
    context.signal.addEventListener("abort", () => write({ type: "abort", key }));
    try {
      await work(item, kind, context);
      write({ type: "end", key, ok: true });
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
  refill: plan.refill,
  ...(plan.maxBacklog !== undefined && { maxBacklog: plan.maxBacklog }),
  ...(plan.toleratedFailures !== undefined && { toleratedFailures: plan.toleratedFailures }),
  memoryMb: 256,
});
