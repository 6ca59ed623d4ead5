import { setTimeout } from "node:timers/promises";
import type { SQSEvent } from "aws-lambda";
import { forwardClock } from "../../../functions/forward-clock.ts";
import { steadyClock } from "../../../functions/steady-clock.ts";
import { EventSourceMapping } from "../../../local/lambda/event-source-mapping.ts";
import { SqsService } from "../../../local/sqs/sqs-service.ts";
import { createQueues, queueNames } from "../../../local/workflow-queues.ts";
import { Consumer } from "../../../shared/consumer/consumer.ts";
import { RunWatch } from "../../../shared/consumer/run-watch.ts";
import { LimitWatch } from "../../../shared/consumer/slots/limit-watch.ts";
import { LimitedSlots } from "../../../shared/consumer/slots/limited-slots.ts";
import { recordingSeconds, STARTING_SECONDS, type Topology, topology } from "../../../shared/definition/topology.ts";
import type { Workflow } from "../../../shared/definition/workflow.ts";
import { announceOn } from "../../../shared/ledger/announce.ts";
import { Ledger } from "../../../shared/ledger/ledger.ts";
import { LimitRow } from "../../../shared/ledger/limit-row.ts";
import { handleControlBatch } from "../../../shared/producer/control-batch.ts";
import { Producer } from "../../../shared/producer/producer.ts";
import type { MemoryObjectStore } from "../../helpers/memory-object-store.ts";
import { chaosWorkflow } from "../chaos-workflow.ts";
import { type Plan, WORKFLOW } from "../plan.ts";
import type { Random } from "../random.ts";
import { shortTopology } from "../short-topology.ts";
import type { StruckFaults } from "../struck-faults.ts";
import { Latency } from "./latency.ts";
import { SILENT, UNCOUNTED } from "./silence.ts";
import { type Handler, SimulatedFunction } from "./simulated-function.ts";
import { simulatedSpawn } from "./simulated-isolation.ts";
import { ProcessObjects } from "./simulated-objects.ts";
import { type Role, type SimulatedJournal, SimulatedProcess } from "./simulated-process.ts";
import { queuesOf, urlOf } from "./simulated-queues.ts";
import { ProcessTable, type SimulatedTable } from "./simulated-table.ts";

/** What outlives an engine. */
export interface World {
  readonly plan: Plan;
  /** The file of the queues. */
  readonly file: string;
  readonly table: SimulatedTable;
  readonly journal: SimulatedJournal;
  readonly random: Random;
  /** The objects with the results. */
  readonly objects: MemoryObjectStore;
  readonly faults: { readonly SQS: StruckFaults; readonly DynamoDB: StruckFaults; readonly S3: StruckFaults };
  /** The clock of the queues. */
  readonly serviceClock: () => number;
  readonly onProcess: (process: SimulatedProcess) => void;
  /** Present if a workflow is run as it is, without chaos: to count what it needs. */
  readonly metered?: {
    readonly workflow: Workflow;
    readonly latency: Latency;
    /** Called with the number of records of each batch that a mapping delivers. */
    readonly onBatch: (records: number) => void;
    /** Called with the number of rows of each batch that is read from the table. */
    readonly onBatchOfRows: (rows: number) => void;
  };
}

const NAMES = queueNames(WORKFLOW);

/** How long a process takes to start, in milliseconds: at least, and how much longer at most. */
const START = { least: 60, more: 300 };

/** A Lambda function keeps this time free at its end: see `functions/producer.ts`. */
const CLOSING_MILLISECONDS = 20_000;

/** As in `functions/consumer.ts`. */
const LIMIT_MILLISECONDS = 500;
const PATIENCE = 0.8;

/** The watchdog ends the environments of a killed engine within this time. */
const ORPHANED_MILLISECONDS = 500;

/** The engine of a simulated run: queues, functions and event source mappings, and the process that a person's commands use. */
export class SimulatedEngine {
  readonly #world: World;
  readonly #latency: Latency;
  readonly #sqs: SqsService;
  readonly #environments = new Set<SimulatedProcess>();
  readonly #mappings: readonly EventSourceMapping[];
  readonly #process: SimulatedProcess;
  readonly #workflow: Workflow;
  readonly #topology: Topology;
  #isUp = true;
  /** How a person's commands reach the run. */
  readonly services;

  constructor(world: World) {
    this.#world = world;
    this.#latency = world.metered?.latency ?? new Latency(world.random);
    this.#process = this.#newProcess("engine");
    this.#workflow = this.#workflowOf(this.#process);
    const derived = topology(this.#workflow);
    this.#topology = world.metered === undefined ? shortTopology(derived, world.plan) : derived;
    this.#sqs = new SqsService({ file: world.file, clock: world.serviceClock, faults: world.faults.SQS }, urlOf);
    const { store } = this.#sqs;
    const { refillSeconds, refillVisibilitySeconds } = this.#topology.consumer;
    store.releaseOrphans({
      [NAMES.controlQueue]: "any",
      ...(refillSeconds > 0 && { [NAMES.queue]: Math.ceil(refillVisibilitySeconds) }),
    });
    createQueues(store, NAMES, this.#topology);
    this.services = this.#servicesOf(this.#process);
    this.#mappings = this.#startMappings();
  }

  /** Fires when the engine is killed. */
  get gone(): AbortSignal {
    return this.#process.gone;
  }

  /** The messages in the queue of the tasks. */
  get messages(): number {
    const { visible, inFlight, delayed } = this.#sqs.store.counts(NAMES.queue);
    return visible + inFlight + delayed;
  }

  /** Looks again at what is visible, because the clock of the queues was set. */
  clockChanged(): void {
    this.#sqs.store.clockAdvanced();
  }

  /** Removes and returns all messages of a dead-letter queue. */
  async drain(name: "deadLetterQueue" | "controlDeadLetterQueue"): Promise<readonly string[]> {
    const bodies: string[] = [];
    const { store } = this.#sqs;
    for (;;) {
      const messages = store.receive({ queue: NAMES[name], max: 10 });
      for (const { body, receiptHandle } of messages) {
        bodies.push(body);
        store.deleteMessage(NAMES[name], receiptHandle);
      }
      if (messages.length > 0) continue;
      const { visible, inFlight, delayed } = store.counts(NAMES[name]);
      if (visible + inFlight + delayed === 0) return bodies;
      await setTimeout(1_000);
    }
  }

  /** @param alone Whether its environments live on for a moment. Their requests fail. */
  kill(alone: boolean): void {
    this.#isUp = false;
    this.#process.kill();
    for (const mapping of this.#mappings) void mapping.stop();
    this.#sqs.store.close();
    const endEnvironments = () => {
      for (const each of this.#environments) each.kill();
    };
    if (alone) globalThis.setTimeout(endEnvironments, this.#world.random.next() * ORPHANED_MILLISECONDS);
    else endEnvironments();
  }

  #newProcess(role: Role): SimulatedProcess {
    const { journal, onProcess } = this.#world;
    const process = new SimulatedProcess(role, journal);
    onProcess(process);
    return process;
  }

  #workflowOf(process: SimulatedProcess): Workflow {
    if (this.#world.metered !== undefined) return this.#world.metered.workflow;
    return chaosWorkflow(this.#world.plan, {
      write: (entry) => process.write(entry),
      exit: () => process.exit(),
      kill: () => {
        process.kill();
        return new Promise<never>(() => {});
      },
      spin: () => process.block(),
    }) as Workflow;
  }

  #servicesOf(process: SimulatedProcess) {
    const { table, faults, random } = this.#world;
    const latency = this.#latency;
    const isUp = () => this.#isUp;
    const queues = queuesOf(process, NAMES, latency, () => (this.#isUp ? this.#sqs : undefined));
    const onBatchOfRows = this.#world.metered?.onBatchOfRows;
    const store = new ProcessTable(process, { table, faults: faults.DynamoDB, latency, random, isUp, onBatchOfRows });
    const ledger = new Ledger(store, Date.now, announceOn(queues.controlQueue));
    const resultStore =
      this.#world.plan.results === true
        ? new ProcessObjects(process, { objects: this.#world.objects, faults: faults.S3, latency, random, isUp })
        : undefined;
    // Random numbers of the world, so that a seed always does the same.
    const newId = () => `${Math.floor(random.next() * 1e9)}-${Math.floor(random.next() * 1e9)}`;
    return {
      ...queues,
      resultStore,
      newId,
      newResultId: newId,
      ledger,
      runs: ledger.runs,
      limitRow: new LimitRow(store),
    };
  }

  get #startMilliseconds(): number {
    if (this.#world.metered !== undefined) return 0;
    return START.least + this.#world.random.next() * START.more;
  }

  #startMappings(): readonly EventSourceMapping[] {
    const { store } = this.#sqs;
    const { producer, consumer, environments, batchSize, batchingWindowSeconds } = this.#topology;
    const functionOf = (role: "producer" | "consumer", timeoutSeconds: number) =>
      new SimulatedFunction({ timeoutSeconds, start: () => this.#startEnvironment(role) });
    const producers = functionOf("producer", producer.timeoutSeconds);
    const consumers = functionOf("consumer", consumer.timeoutSeconds);
    return [
      new EventSourceMapping({
        store,
        queue: NAMES.controlQueue,
        batchSize: 1,
        batchingWindowSeconds: 0,
        maximumConcurrency: producer.environments,
        invoke: (event) => this.#invoke(producers, event),
      }),
      new EventSourceMapping({
        store,
        queue: NAMES.queue,
        batchSize,
        batchingWindowSeconds,
        maximumConcurrency: environments,
        invoke: (event) => this.#invoke(consumers, event),
      }),
    ];
  }

  async #invoke(called: SimulatedFunction, event: SQSEvent) {
    this.#world.metered?.onBatch(event.Records.length);
    return await this.#process.send(() => called.invoke(event));
  }

  #startEnvironment(role: "producer" | "consumer") {
    const process = this.#newProcess(role);
    this.#environments.add(process);
    const handler = role === "producer" ? this.#producerOf(process) : this.#consumerOf(process);
    return { process, handler, startMilliseconds: this.#startMilliseconds };
  }

  /** Does what `functions/producer.ts` does. */
  #producerOf(process: SimulatedProcess): Handler {
    const services = this.#servicesOf(process);
    const { sliceSeconds, visibilitySeconds } = this.#topology.producer;
    const { maxBacklog } = this.#topology;
    const workflow = this.#workflowOf(process);
    const shared = {
      ...services,
      workflow,
      maxBacklog,

      logger: SILENT,
      metrics: UNCOUNTED,
      random: this.#drawn,
    };
    return async (event, milliseconds) => {
      const now = steadyClock();
      const producer = new Producer({ ...shared, now });
      const records = event.Records.map(({ messageId: id, receiptHandle, body, attributes }) => ({
        id,
        receiptHandle,
        body,
        group: attributes.MessageGroupId,
        receiveCount: Number(attributes.ApproximateReceiveCount),
        sentAt: Number(attributes.SentTimestamp),
      }));
      const staying = await handleControlBatch(records, {
        producer,
        controlQueue: services.controlQueue,
        logger: SILENT,
        visibilitySeconds,
        sliceEnd: now() + sliceSeconds * 1_000,
        signal: AbortSignal.timeout(Math.max(0, milliseconds - CLOSING_MILLISECONDS)),
      });
      return { batchItemFailures: staying.map((itemIdentifier) => ({ itemIdentifier })) };
    };
  }

  /** Does what `functions/consumer.ts` does. */
  #consumerOf(process: SimulatedProcess): Handler {
    const services = this.#servicesOf(process);
    const { concurrency, tasksPerEnvironment } = this.#topology;
    const { memoryMb, refillSeconds, refillWaitingSeconds, refillVisibilitySeconds } = this.#topology.consumer;
    const workflow = this.#workflowOf(process);
    const limitClock = forwardClock();
    const watch = new LimitWatch({
      row: services.limitRow,
      member: String(process.pid),
      concurrency,
      tasksPerEnvironment,
      adaptive: workflow.adaptive.search,
      latency: workflow.adaptive.latency,
      ...(workflow.rateLimit !== undefined && { set: workflow.rateLimit }),
      now: limitClock,
      random: this.#drawn,
      logger: SILENT,
    });
    const prepared = watch.prepare(LIMIT_MILLISECONDS);
    const shared = {
      ...services,
      workflow,
      runWatch: new RunWatch(services.runs, Date.now),
      concurrency,
      tasksPerEnvironment,
      memoryMb,
      isolatedModule: "simulated",
      spawnProcess: simulatedSpawn(process, () => {
        const isolated = this.#newProcess("isolated");
        return { process: isolated, workflow: this.#workflowOf(isolated), startMilliseconds: this.#startMilliseconds };
      }),
      logger: SILENT,
      metrics: UNCOUNTED,
      taskLogger: () => SILENT,
      random: this.#drawn,
    };
    return async (event, milliseconds) => {
      await prepared;
      const now = steadyClock();
      const refill = {
        until: now() + refillSeconds * 1_000,
        waitingMilliseconds: refillWaitingSeconds * 1_000,
        visibilityTimeoutSeconds: refillVisibilitySeconds,
      };
      const slots = new LimitedSlots({
        watch,
        tasksPerEnvironment,
        patienceMilliseconds: PATIENCE * (refillSeconds > 0 ? refill.waitingMilliseconds : STARTING_SECONDS * 1_000),
        ...(refillSeconds > 0 && { until: limitClock() + refillSeconds * 1_000 }),
        queue: services.queue,
        now: limitClock,
        random: this.#drawn,
      });
      const consumer = new Consumer({ ...shared, slots, now, ...(refillSeconds > 0 && { refill }) });
      const deadline = now() + milliseconds - recordingSeconds(workflow) * 1_000;
      const failedIds = await consumer.consume(event.Records.map(toMessage), deadline);
      if (consumer.isRetired) await process.exit();
      return { batchItemFailures: failedIds.map((itemIdentifier) => ({ itemIdentifier })) };
    };
  }

  readonly #drawn = (): number => this.#world.random.next();
}

function toMessage({ messageId, receiptHandle, body, attributes }: SQSEvent["Records"][number]) {
  return {
    id: messageId,
    receiptHandle,
    body,
    receiveCount: Number(attributes.ApproximateReceiveCount),
    sentAt: Number(attributes.SentTimestamp),
    attributes: {},
  };
}
