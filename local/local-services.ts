import { setTimeout } from "node:timers/promises";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { SQSClient } from "@aws-sdk/client-sqs";
import { clientConfig } from "../shared/aws/client-config.ts";
import { LEAN_CLIENT } from "../shared/aws/lean-client.ts";
import { explicitSettings } from "../shared/aws/service-access.ts";
import type { Topology } from "../shared/definition/topology.ts";
import { type Connection, connect } from "../shared/ledger/connect.ts";
import { newAccessKeyId } from "./access/access-key.ts";
import { engineAccess } from "./access/engine-access.ts";
import { createLedgerTable } from "./dynamodb/create-table.ts";
import { type DynamoDbThread, startDynamoDbThread } from "./dynamodb/dynalite-thread.ts";
import { awsBehaviourOf } from "./sqs/aws-behaviour.ts";
import { startSqsServer } from "./sqs/http-server.ts";
import type { InProcessHandler } from "./sqs/in-process-handler.ts";
import type { Faults } from "./sqs/injected-faults.ts";
import type { StartStep } from "./start-step.ts";
import type { Endpoints, StateDirectory, Use } from "./state-directory.ts";
import { stateError, stateFailureOf } from "./state-failure.ts";
import { createQueues, queueNames } from "./workflow-queues.ts";

export const tableName = (workflow: string): string => `${workflow}-ledger`;

/** The connection of a command to a workflow's services. */
export interface ServiceClients extends Connection {
  /** Closes the connections to the services. */
  close(): Promise<void>;
}

/** Services that this process runs itself. */
export type Services = Awaited<ReturnType<typeof openServices>>;

/** How long another command may take to start its services or to end, on a busy machine. */
const OTHER_COMMAND_MILLISECONDS = 10_000;
const POLL_MILLISECONDS = 25;

/** How long to wait for an engine to end: a process that was killed needs a moment. */
const KILLED_MILLISECONDS = 500;

interface ServiceOptions {
  readonly workflow: string;
  /** The topology whose attributes the queues get. Without it, the queues stay as they are. */
  readonly topology?: Topology;
  readonly state: StateDirectory;
  /** Whether to delete first what earlier engines left. Default: false. */
  readonly fresh?: boolean | undefined;
  /** Faults to inject into the queues, for tests. */
  readonly faults?: Faults;
  /** Called before each step of the start that takes a moment. */
  readonly onStep?: ((step: StartStep) => void) | undefined;
}

const useOf = ({ topology }: ServiceOptions): Use => (topology === undefined ? "look" : "engine");

/**
 * Starts the services of a workflow with the state that an earlier engine left, or with new state. Starts no function.
 * Locks the state directory until the services are closed. If a command that only looks holds the lock, waits for it.
 *
 * @throws {SluiceError} `ENGINE_RUNNING`: an engine uses the directory, or another command has held it for ten seconds.
 *   `STATE_UNUSABLE`, `LEDGER_UNREADABLE`.
 */
export async function openServices(options: ServiceOptions) {
  const { state } = options;
  options.onStep?.("services");
  for (let waited = 0; !state.lock(useOf(options), { fresh: options.fresh === true }); waited += POLL_MILLISECONDS) {
    const isEngine = state.lockOwner()?.use === "engine";
    if (waited >= (isEngine ? KILLED_MILLISECONDS : OTHER_COMMAND_MILLISECONDS)) throw state.lockedError();
    await setTimeout(POLL_MILLISECONDS);
  }
  return await openOrUnlock(options);
}

async function openOrUnlock(options: ServiceOptions) {
  const { state } = options;
  try {
    const { fresh = false } = options;
    if (fresh) state.clear();
    state.open({ fresh });
    if (useOf(options) === "engine") state.removeDrafts();
    return await openLocked(options);
  } catch (error) {
    state.unlock();
    throw error;
  }
}

async function openLocked(options: ServiceOptions) {
  const { workflow, topology, state, faults } = options;
  const accessKeyId = newAccessKeyId();
  const sqs = await usableQueues(state.queues, {
    accessKeyId,
    onStateFailure: throwUncaught,
    ...(faults && { faults }),
    awsBehaviour: awsBehaviourOf(process.env),
    // A command that looks at 100,000 dead letters reads each of them once, so a large cache would only cost memory.
    ...(topology === undefined && { cacheMegabytes: 8 }),
  });
  let dynamoDb: DynamoDbThread | undefined;
  const close = async () => {
    await Promise.all([sqs.close(), dynamoDb?.close()]);
  };
  try {
    // This process has the lock, so all processes that had received messages from these queues have ended.
    const names = queueNames(workflow);
    sqs.store.releaseOrphans({
      // Producers keep the visibility of a message short and renew it.
      [names.controlQueue]: "any",
      // Consumers that receive messages themselves shorten the visibility of the batch that they are invoked with.
      ...(topology !== undefined &&
        topology.consumer.refillSeconds > 0 && { [names.queue]: Math.ceil(topology.consumer.refillVisibilitySeconds) }),
    });
    if (topology !== undefined) createQueues(sqs.store, names, topology);
    dynamoDb = await startDynamoDbThread({ path: state.tables, acknowledged: state.acknowledged, accessKeyId });
    const endpoints = { sqs: sqs.endpoint, dynamoDb: dynamoDb.endpoint, accessKeyId };
    const clients = connectLocally(workflow, endpoints, sqs.requestHandler);
    await dynamoDb.during(createLedgerTable(clients.dynamoDbClient, tableName(workflow)));
    /** Other commands can use these services. */
    const offer = () => state.offerServices(useOf(options), endpoints);
    /** No other command can begin to use these services. Waits until those that use them have ended, at most for ten seconds. */
    const withdraw = async () => {
      for (
        let waited = 0;
        !state.withdrawServices(useOf(options)) && waited < OTHER_COMMAND_MILLISECONDS;
        waited += POLL_MILLISECONDS
      )
        await setTimeout(POLL_MILLISECONDS);
    };
    offer();
    return {
      ...clients,
      names,
      accessKeyId,
      sqs,
      dynamoDb,
      offer,
      withdraw,
      async close() {
        await clients.close();
        await withdraw();
        await close();
        state.close();
        state.unlock();
      },
    };
  } catch (error) {
    // A server that is still open would keep this process running.
    await close();
    throw error;
  }
}

/** Starts the queues. */
async function usableQueues(file: string, options: Omit<Parameters<typeof startSqsServer>[0], "file">) {
  try {
    return await startSqsServer({ file, ...options });
  } catch (error) {
    const failure = stateFailureOf(error);
    throw failure === undefined ? error : stateError(failure, file, error);
  }
}

/** Ends the process with the error, as if nobody had caught it. Clients would only repeat their requests. */
function throwUncaught(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}

/**
 * Connects to the services of the process that uses a state directory. If there is none, starts the services.
 *
 * @throws {SluiceError} `ENGINE_RUNNING`: another process has held the directory for ten seconds and offers no services.
 *   `STATE_UNUSABLE`, `LEDGER_UNREADABLE`.
 */
export async function reachServices(workflow: string, state: StateDirectory): Promise<ServiceClients> {
  // A process that has the lock but no services is starting them, or is about to end.
  for (let waited = 0; waited < OTHER_COMMAND_MILLISECONDS; waited += POLL_MILLISECONDS) {
    const offered = state.useServices();
    if (offered !== undefined) {
      const clients = connectLocally(workflow, offered.endpoints);
      return {
        ...clients,
        async close() {
          await clients.close();
          offered.release();
        },
      };
    }
    if (state.lock("look")) return await openOrUnlock({ workflow, state });
    await setTimeout(POLL_MILLISECONDS);
  }
  throw state.lockedError();
}

/**
 * Connects to services of this machine.
 *
 * @param requestHandler Sends requests to queues of this process. Default: over HTTP.
 */
export function connectLocally(workflow: string, endpoints: Endpoints, requestHandler?: InProcessHandler) {
  const access = engineAccess(endpoints);
  const dynamoDbClient = new DynamoDBClient({
    ...LEAN_CLIENT,
    ...explicitSettings(access, access.dynamoDbEndpoint),
    ...clientConfig(),
  });
  const sqsClient = new SQSClient({
    ...LEAN_CLIENT,
    ...explicitSettings(access, access.sqsEndpoint),
    ...clientConfig(),
    // Nothing is damaged on the loopback interface, so a digest of each body would only take time.
    md5: false,
    cacheMiddleware: true,
    ...(requestHandler && { requestHandler }),
  });
  // The logger's output is not used.
  sqsClient.middlewareStack.remove("loggerMiddleware");
  const urlOf = (name: string) => `${access.sqsEndpoint}/000000000000/${name}`;
  const names = queueNames(workflow);
  return {
    dynamoDbClient,
    ...connect(
      { sqs: sqsClient, dynamoDb: dynamoDbClient },
      {
        queueUrl: urlOf(names.queue),
        deadLetterQueueUrl: urlOf(names.deadLetterQueue),
        controlQueueUrl: urlOf(names.controlQueue),
        controlDeadLetterQueueUrl: urlOf(names.controlDeadLetterQueue),
        table: tableName(workflow),
      },
    ),
    async close() {
      sqsClient.destroy();
      dynamoDbClient.destroy();
    },
  };
}
