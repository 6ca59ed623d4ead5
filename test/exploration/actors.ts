import { continueRun } from "../../cli/runs/continue-run.ts";
import type { ControlEntry, Queue } from "../../shared/aws/queue.ts";
import { type Key, keyText, type LedgerStore, type Row } from "../../shared/aws/table.ts";
import type { TaskLogger } from "../../shared/base/task.ts";
import type { AttemptOutcome } from "../../shared/consumer/attempts/attempt.ts";
import { nextStep } from "../../shared/consumer/outcomes/next-step.ts";
import { Recorder } from "../../shared/consumer/outcomes/recorder.ts";
import { RunWatch } from "../../shared/consumer/run-watch.ts";
import type { Workflow } from "../../shared/definition/workflow.ts";
import { defineWorkflow, PermanentError, RetryLater, Throttled } from "../../shared/index.ts";
import { announceOn } from "../../shared/ledger/announce.ts";
import type { AttemptsRow } from "../../shared/ledger/attempts-row.ts";
import type { ItemState } from "../../shared/ledger/item-ledger.ts";
import { Ledger } from "../../shared/ledger/ledger.ts";
import { parseControlMessage, startEntry } from "../../shared/messages/control.ts";
import { type Envelope, parseEnvelope } from "../../shared/messages/envelope.ts";
import { addressOf } from "../../shared/messages/item-address.ts";
import type { ItemMessage } from "../../shared/messages/item-message.ts";
import { Producer } from "../../shared/producer/producer.ts";
import { type RollUpWorld, withFrames } from "./frames.ts";
import type { Knowledge } from "./knowledge.ts";
import { objectStoreOf } from "./objects.ts";
import type { Actor, Program } from "./operation.ts";
import { type Kind, nameOf, RUN, type Scope, WORKFLOW } from "./scope.ts";

// The actors' time and chance are constant, so that a repeated program does the same.
const NOW = Date.parse("2026-11-22T08:15:30.000Z");
const now = () => NOW;
const random = () => 0.5;
const nothing = () => {};
const logger: TaskLogger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
const metrics = { count: nothing, duration: nothing, peak: nothing };
const ATTEMPTS = 4;

/** The message that begins the run. */
export const START = startEntry({ workflow: WORKFLOW, run: RUN, requestedAt: new Date(NOW).toISOString() });

/** A store that reads and writes each row in a step of its own: a batch of reads is not atomic. */
function storeOf({ perform }: Actor): LedgerStore {
  const get = (key: Key) => perform({ type: "read", key }) as Promise<Row | undefined>;
  return {
    get,
    async getMany(keys) {
      const distinct = [...new Map(keys.map((key) => [keyText(key), key])).values()];
      const rows = await Promise.all(distinct.map(async (key) => [keyText(key), await get(key)] as const));
      return new Map(rows.filter((row): row is [string, Row] => row[1] !== undefined));
    },
    update: (key, update) => perform({ type: "update", key, update }) as Promise<Row | undefined>,
    newest: () => Promise.reject(new Error("nobody lists runs here")),
  };
}

/** The parts of the queues that the functions use. Each message is sent in a step of its own, because a batch may fail in part. */
function queuesOf({ perform }: Actor) {
  const queue = {
    depth: async () => ({ visible: 0, inFlight: 0, delayed: 0 }),
    changeVisibility: async () => {},
    async sendAll(messages: readonly { readonly body: string }[]) {
      for (const { body } of messages) await perform({ type: "message", body });
    },
  };
  const deadLetterQueue = {
    async sendAll(deadLetters: readonly { readonly body: string }[]) {
      for (const { body } of deadLetters) {
        const envelope = parseEnvelope(body);
        await perform({ type: "tell", fact: `dead letter ${nameOf(envelope)} ${envelope.dead?.reason}` });
      }
    },
  };
  const controlQueue = {
    async sendControl({ body, group, deduplicationId }: ControlEntry) {
      await perform({ type: "control", body, group, deduplicationId });
    },
  };
  const controlDeadLetterQueue = {
    sendControl: () => perform({ type: "tell", fact: "control dead letter" }),
  };
  return { queue, deadLetterQueue, controlQueue, controlDeadLetterQueue } as unknown as Record<
    "queue" | "deadLetterQueue" | "controlQueue" | "controlDeadLetterQueue",
    Queue
  >;
}

function worldOf(actor: Actor) {
  const store = storeOf(actor);
  const queues = queuesOf(actor);
  const ledger = new Ledger(store, now, announceOn(queues.controlQueue));
  return {
    ...queues,
    ledger,
    runs: ledger.runs,
    logger,
    metrics,
    now,
    random,
  };
}

/** The workflow of a scope. */
function workflowOf({ pages, partitions, producers, tolerated, results }: Scope) {
  const toItem = (kind: Kind) => (kind === "unsendable" ? { kind, number: Number.NaN } : { kind });
  return defineWorkflow({
    name: WORKFLOW,
    source: {
      ...(partitions !== undefined && { partitions: () => partitions.map((_, place) => ({ id: String(place) })) }),
      async readPage(cursor, { partition }) {
        const page = Number(cursor ?? 0);
        const all = (partition === undefined ? pages : partitions?.[Number(partition.id)]) ?? [];
        return { items: (all[page] ?? []).map(toItem), next: page + 1 < all.length ? page + 1 : undefined };
      },
    },
    ...(partitions !== undefined && { producers }),
    task: nothing,
    concurrency: 2,
    timeout: { seconds: 1 },
    retry: { attempts: ATTEMPTS, waitAtMost: { minutes: 1 } },
    ...(tolerated !== undefined && { toleratedFailures: { count: tolerated } }),
    ...(results === true && { results }),
  });
}

const NEVER_SEEN: ItemState = { tag: "pending", failures: [], final: undefined, receives: new Map() };

/** The actors of a scope: the functions' own code, whose operations are performed one by one. */
export class Actors {
  readonly #scope: Scope;
  readonly #workflow: Workflow;
  readonly #functions: RollUpWorld;

  constructor(scope: Scope, knowledge: Knowledge) {
    this.#scope = scope;
    this.#workflow = workflowOf(scope);
    this.#functions = {
      storeOf,
      now,
      knowledge,
      programs: new Map(),
      announceOf: (actor) => announceOn(queuesOf(actor).controlQueue),
    };
  }

  /**
   * A producer that received a control message.
   *
   * @param losesMessage Whether SQS refuses to renew its message's visibility. Then the producer stops after one page and
   *   leaves the message.
   */
  producer(body: string, group: string, losesMessage = false): Program {
    const loses = losesMessage ? ", loses its message" : "";
    const { type } = parseControlMessage(body);
    const compacts = type === "compact";
    return withFrames(`producer: ${type}${loses}`, this.#functions, async (actor) => {
      const onComplete = async (summary: object) => {
        await actor.perform({ type: "tell", fact: `completion ${JSON.stringify(summary)}` });
      };
      const workflow = { ...this.#workflow, onComplete };
      const writer = compacts ? await numberOfWriter(actor) : 0;
      let objects = 0;
      const producer = new Producer({
        ...worldOf(actor),
        workflow,
        maxBacklog: 1_000,
        ...(this.#scope.results === true && {
          resultStore: objectStoreOf(actor),
          newId: () => `${writer}-${objects++}`,
        }),
      });
      const { signal } = new AbortController();
      const lost = losesMessage ? AbortSignal.abort() : signal;
      const time = { sliceEnd: Number.POSITIVE_INFINITY, signal, lost };
      const verdict = await producer.handle({ id: "control", body, group, receiveCount: 1, sentAt: 0 }, time);
      return verdict.tag === "done" ? "delete" : "again";
    });
  }

  /** A consumer that received an item's message, for the first time or again. */
  consumer(body: string, again: boolean): Program {
    const envelope = parseEnvelope(body);
    return withFrames(again ? "consumer, again" : "consumer", this.#functions, async (actor) => {
      const world = worldOf(actor);
      const { ledger, runs } = world;
      const recorder = new Recorder({
        ...world,
        workflow: this.#workflow,
        // Two consumers that do the same write the same object. Otherwise there would be no end of objects.
        ...(this.#scope.results === true && {
          resultStore: objectStoreOf(actor),
          newResultId: () => `${nameOf(envelope).replaceAll("/", "-")}-${again ? "again" : "first"}`,
        }),
      });
      const message = { id: "message", receiptHandle: "handle", body, receiveCount: again ? 2 : 1, attributes: {} };
      const item: ItemMessage = { message, envelope };
      // As the consumer looks up its items.
      const [states, mode] = await Promise.all([
        again || envelope.resent === true ? ledger.itemStates([addressOf(envelope)]) : [NEVER_SEEN],
        this.#scope.cancel || this.#scope.tolerated !== undefined
          ? new RunWatch(runs, now).mode(RUN)
          : ("work" as const),
      ]);
      const state = states[0] ?? NEVER_SEEN;
      const step = nextStep({ item, state, mode, pausedMilliseconds: 0, now: now(), attempts: ATTEMPTS });
      const recorded = recorder.record(
        step.tag === "attempt"
          ? { tag: "attempted", item, state: step.state, attempt: attempt(envelope, again, step.state, actor) }
          : step,
      );
      recorder.setPace("now");
      const { tag } = await recorded;
      await recorder.finish();
      return tag === "delete" ? "delete" : "again";
    });
  }

  /** A person who cancels the run. */
  person(): Program {
    return withFrames("person", this.#functions, async (actor) => {
      const { runs, controlQueue } = worldOf(actor);
      const cancelling = (await runs.cancel(RUN)) ?? (await runs.find(RUN));
      if (cancelling !== undefined && cancelling.completedAt === undefined) await continueRun(controlQueue, cancelling);
      return "delete";
    });
  }
}

/** A number that no other producer of a compaction gets. */
async function numberOfWriter({ perform }: Actor): Promise<number> {
  const row = await perform({
    type: "update",
    key: { pk: "writers", sk: "writers" },
    update: { increase: { count: 1 } },
  });
  return Number((row as Row).count);
}

function attempt(
  { item, results, ...place }: Envelope,
  again: boolean,
  { failures, waits }: AttemptsRow,
  { note }: Actor,
): AttemptOutcome {
  const times = { startedAt: NOW, endedAt: NOW };
  const { kind } = item as { readonly kind: Kind };
  const failed = (error: Error): AttemptOutcome => {
    // The place where it was thrown differs between two executions.
    error.stack = "";
    return { tag: "failed", thrown: error, kind: "threw", ...times };
  };
  if (kind === "bad" || (kind === "fickle" && again)) return failed(new PermanentError("it is known to be bad"));
  // Time does not pass here. The shortest wait is over when the message comes again.
  if (kind === "patient" && waits === undefined) return failed(new RetryLater({ seconds: 1 }));
  if (kind === "late") return failed(new Throttled({ minutes: 2 }));
  if (kind === "flaky" && failures.length === 0) return failed(new Error("not yet"));
  note(`success ${nameOf(place)}`);
  return { tag: "succeeded", ...times, ...(results === true && { result: JSON.stringify(again ? "again" : "first") }) };
}
