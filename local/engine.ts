import { readFileSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { FUNCTIONS, type FunctionName } from "../infra/bundling.ts";
import { CREDENTIALS_MODULE } from "../shared/aws/credentials-module.ts";
import { SluiceError } from "../shared/base/errors.ts";
import { fastPathOf, functionEnvironment, toVariables } from "../shared/definition/function-environment.ts";
import type { Topology } from "../shared/definition/topology.ts";
import type { Workflow } from "../shared/definition/workflow.ts";
import { engineAccess } from "./access/engine-access.ts";
import type { BoundedLog } from "./bounded-log.ts";
import { ActivityMonitor } from "./lambda/activity-monitor.ts";
import { bundleFunctions, type FunctionBundles } from "./lambda/bundle-functions.ts";
import {
  EventSourceMapping,
  LAMBDA_RAMP,
  type LoopDetection,
  type MappingOptions,
} from "./lambda/event-source-mapping.ts";
import type { FunctionConfiguration } from "./lambda/execution-environment.ts";
import { LocalFunction } from "./lambda/local-function.ts";
import { Watchdog } from "./lambda/watchdog.ts";
import { openServices, type ServiceClients, type Services, tableName } from "./local-services.ts";
import { RUN_NOTE } from "./run-note.ts";
import type { StartStep } from "./start-step.ts";
import type { StateDirectory } from "./state-directory.ts";
import { warmUp } from "./warm-up.ts";

export interface EngineOptions {
  readonly workflow: Workflow;
  /** The file whose default export is the workflow. */
  readonly workflowFile: string;
  readonly topology: Topology;
  readonly state: StateDirectory;
  /** The functions, if they are bundled already. */
  readonly bundles?: FunctionBundles | undefined;
  /** Environment variables for the functions, in addition to their own. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Called before each step of the start that takes a moment. */
  readonly onStep?: (step: StartStep) => void;
  /**
   * Whether the consumers' mapping scales up as slowly as on Lambda: it begins with 5 batches at the same time, and adds up
   * to 300 a minute. Default false.
   * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
   */
  readonly scalesAsLambda?: boolean;
  /**
   * Whether loops of functions and queues are detected, and stopped for the consumer, as on Lambda. Then each message
   * carries a trace header. Default false.
   * https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
   */
  readonly detectsLoops?: boolean;
}

/** A running engine. */
export interface Engine extends ServiceClients {
  readonly activity: ActivityMonitor;
  /** Writes into the logs that a run begins or continues, so that lines without a run can be told to be of this run. */
  noteRun(run: string): void;
  /**
   * Starts execution environments before a run begins. Resolves when one producer and one consumer are ready, because a
   * run needs no more to begin. Up to four more consumers continue to start.
   *
   * @throws {SluiceError} `FUNCTION_FAILED`: an environment ended while it started. The message holds the start of its
   *   log.
   */
  ready(): Promise<void>;
  /**
   * Starts the same environments, and resolves when all of them are ready and the services are warmed up. Measurements
   * use it.
   *
   * @throws {SluiceError} `FUNCTION_FAILED`
   */
  warm(): Promise<void>;
  /** Begins to deliver messages, including those that an earlier engine left in the state directory. */
  deliver(): void;
  /**
   * When the next message of a task becomes visible, in milliseconds since 1970. `undefined` if a message is visible now,
   * or if no message waits. A message that a consumer works on, or whose outcome it is recording, does not wait.
   */
  nextTaskAt(): number | undefined;
  /**
   * Keeps other commands away: none can begin to use the services. Resolves when those that use them have ended, at most after
   * ten seconds. The engine continues to work.
   */
  withdraw(): Promise<void>;
  /** Lets other commands use the services again. */
  offer(): void;
  /**
   * Starts no more invocations, and aborts the `signal` of a source that is being read. Resolves when the invocations
   * under way have ended.
   */
  drain(): Promise<void>;
}

/** The SDK's default credential providers (profiles, single sign-on and so on). They are not in the bundles. */
const DEFAULT_CREDENTIALS = pathToFileURL(
  createRequire(import.meta.url).resolve("@aws-sdk/credential-provider-node"),
).href;

/** How many lines of a function's log an error message quotes. */
const QUOTED_LOG_LINES = 6;

/** Consumer environments that start before a run. All others start when they are needed. */
const WARM_ENVIRONMENTS = 5;

/**
 * An invocation of the producer that takes longer than this may read until its slice ends. Another producer then continues
 * the run, and begins sooner if it was started before. The environment of a short run would be started for nothing.
 */
const LONG_INVOCATION_MILLISECONDS = 2_000;

/**
 * Starts the embedded engine: queues, ledger, and the functions of one workflow with their event source mappings.
 *
 * @param opened The services, if they are open already. They are closed with the engine.
 * @throws {ConfigurationError} The workflow does not bundle.
 * @throws {SluiceError} `ENGINE_RUNNING`: another engine uses the state directory.
 * @example
 * const engine = await startEngine({ workflow, workflowFile, topology: topology(workflow), state });
 * await engine.ready();
 * engine.deliver();
 */
export async function startEngine(options: EngineOptions, opened?: Services): Promise<Engine> {
  const { topology, state, workflow, onStep } = options;
  const services = opened ?? (await openServices({ ...options, workflow: workflow.name }));
  const { sqs, names } = services;
  try {
    const bundles =
      options.bundles ??
      (await bundleFunctions(options.workflowFile, state.bundles, {
        bundling: workflow.bundling,
        onBuild: () => onStep?.("bundle"),
      }));
    const environment = functionEnvironment(topology, {
      queueUrl: sqs.queueUrl(names.queue),
      deadLetterQueueUrl: sqs.queueUrl(names.deadLetterQueue),
      controlQueueUrl: sqs.queueUrl(names.controlQueue),
      controlDeadLetterQueueUrl: sqs.queueUrl(names.controlDeadLetterQueue),
      access: engineAccess({
        sqs: sqs.endpoint,
        dynamoDb: services.dynamoDb.endpoint,
        accessKeyId: services.accessKeyId,
      }),
      table: tableName(workflow.name),
      resultsUrl: workflow.results && pathToFileURL(state.results).href,
      fastPath: fastPathOf(process.env),
      codeVersion: bundles.codeVersion,
    });
    const variables = {
      [CREDENTIALS_MODULE]: DEFAULT_CREDENTIALS,
      NODE_COMPILE_CACHE: state.bundles,
      ...toVariables(environment),
      ...options.variables,
    };
    const watchdog = new Watchdog();
    const logs = { producer: state.openLog("producer"), consumer: state.openLog("consumer") };
    const configure = (name: "producer" | "consumer"): FunctionConfiguration => ({
      name: `${workflow.name}-${name}`,
      bundle: bundles[name],
      timeoutSeconds: topology[name].timeoutSeconds,
      memoryMb: topology[name].memoryMb,
      variables: {
        ...variables,
        AWS_LAMBDA_FUNCTION_NAME: `${workflow.name}-${name}`,
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(topology[name].memoryMb),
      },
      log: logs[name].descriptor,
      watchdog,
    });
    const noteRun = (run: string) => {
      const line = `${JSON.stringify({ level: "INFO", message: RUN_NOTE, timestamp: new Date().toISOString(), run })}\n`;
      for (const { descriptor } of Object.values(logs)) writeSync(descriptor, line);
    };
    const activity = new ActivityMonitor(() => ({
      producer: producer.peakMemoryMb,
      consumer: consumer.peakMemoryMb,
    }));
    const producer = new LocalFunction(configure("producer"), activity.ofProducer);
    const consumer = new LocalFunction(configure("consumer"), activity.ofConsumer);
    const mappings: EventSourceMapping[] = [];
    // The stack sets the same (`recursiveLoop`).
    const loops = (name: FunctionName, onLoop: LoopDetection["onLoop"]): LoopDetection | undefined =>
      options.detectsLoops === true ? { functionName: `${workflow.name}-${name}`, onLoop } : undefined;
    let hasSpareProducer = false;
    const invokeProducer: MappingOptions["invoke"] = async (event, trace) => {
      const long = setTimeout(() => {
        if (!hasSpareProducer) producer.prepare(1);
        hasSpareProducer = true;
      }, LONG_INVOCATION_MILLISECONDS);
      try {
        return await producer.invoke(event, trace);
      } finally {
        clearTimeout(long);
      }
    };
    const deliver = () => {
      const ofControlQueue = new EventSourceMapping({
        store: sqs.store,
        queue: names.controlQueue,
        batchSize: 1,
        batchingWindowSeconds: 0,
        maximumConcurrency: topology.producer.environments,
        invoke: invokeProducer,
        loops: loops("producer", "Allow"),
      });
      const ofQueue = new EventSourceMapping({
        store: sqs.store,
        queue: names.queue,
        batchSize: topology.batchSize,
        batchingWindowSeconds: topology.batchingWindowSeconds,
        maximumConcurrency: topology.environments,
        invoke: (event, trace) => consumer.invoke(event, trace),
        loops: loops("consumer", "Terminate"),
        ramp: options.scalesAsLambda === true ? LAMBDA_RAMP : undefined,
      });
      mappings.push(ofControlQueue, ofQueue);
    };
    const prepare = (producers: number) => {
      const preparations = {
        producer: producer.prepare(producers),
        consumer: consumer.prepare(Math.min(topology.environments, WARM_ENVIRONMENTS)),
      };
      return async (which: "first" | "all") => {
        const ends = await Promise.all(FUNCTIONS.map((name) => preparations[name][which]));
        for (const [index, name] of FUNCTIONS.entries()) {
          const end = ends[index];
          if (end !== undefined) throw new SluiceError("FUNCTION_FAILED", cannotStart(name, end, state, logs[name]));
        }
      };
    };
    const drain = async () => {
      // Consumers receive messages themselves while slots are free.
      sqs.store.suspend(names.queue);
      const stopped = Promise.all(mappings.map((mapping) => mapping.stop()));
      // A source that is being read must not delay the end. Tasks in flight still finish.
      producer.shutDown();
      await stopped;
    };
    return {
      ...services,
      activity,
      noteRun,
      async ready() {
        onStep?.("environments");
        // One producer for each lane.
        const started = prepare(topology.producer.environments - 1);
        // The first request of this process to a queue is slow. This request is made before the one that starts the run.
        await Promise.all([started("first"), services.controlQueue.depth()]);
      },
      async warm() {
        hasSpareProducer = true;
        const started = prepare(topology.producer.environments);
        // If something is wrong with the services, the run reports it.
        const warmedUp = warmUp(services, topology).catch(() => {});
        await started("first");
        await Promise.all([started("all"), warmedUp]);
      },
      deliver,
      nextTaskAt: () => {
        if (sqs.store.counts(names.queue).visible > 0) return undefined;
        // Without an invocation, a message that is in work belongs to a consumer that died, and waits for its timeout.
        return consumer.isInvoked
          ? sqs.store.nextReturnAt(names.queue, Math.ceil(topology.consumer.refillVisibilitySeconds))
          : sqs.store.nextVisibleAt(names.queue);
      },
      drain,
      async close() {
        const drained = drain();
        await Promise.all([producer.close(), consumer.close()]);
        await drained;
        await watchdog.close();
        for (const log of Object.values(logs)) log[Symbol.dispose]();
        await services.close();
      },
    };
  } catch (error) {
    await services.close();
    throw error;
  }
}

function cannotStart(name: FunctionName, end: string, state: StateDirectory, { begin }: BoundedLog): string {
  const log = state.logFile(name);
  const lines = readFileSync(log).subarray(begin).toString().trimEnd().split("\n").slice(0, QUOTED_LOG_LINES);
  return (
    `the ${name} cannot start (${end}): importing the workflow's file fails inside the function. The function has the ` +
    `environment variables of this shell and those of the workflow. From its log, ${log}:\n${lines.join("\n")}`
  );
}
