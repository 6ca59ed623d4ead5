import { setTimeout } from "node:timers/promises";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { SQSClient } from "@aws-sdk/client-sqs";
import { clientConfig } from "../shared/aws/client-config.ts";
import { LEAN_CLIENT } from "../shared/aws/lean-client.ts";
import { explicitSettings } from "../shared/aws/service-access.ts";
import type { Topology } from "../shared/definition/topology.ts";
import { type Connection, connect } from "../shared/ledger/connect.ts";
import { newAccessKeyId } from "./access/access-key.ts";
import { ownAccess } from "./access/engine-access.ts";
import { createLedgerTable } from "./dynamodb/create-table.ts";
import { type DynamoDbThread, startDynamoDbThread } from "./dynamodb/dynalite-thread.ts";
import { startSqsServer } from "./sqs/http-server.ts";
import type { InProcessHandler } from "./sqs/in-process-handler.ts";
import type { Faults } from "./sqs/injected-faults.ts";
import type { StartStep } from "./start-step.ts";
import type { Endpoints, StateDirectory, Use } from "./state-directory.ts";
import { createQueues, queueNames } from "./workflow-queues.ts";

export const tableName = (workflow: string): string => `${workflow}-ledger`;

/** The connection of a command to a workflow's services. */
export interface ServiceClients extends Connection {
  /** Closes the connections to the services. */
  close(): Promise<void>;
}

/** Services that this process runs itself. */
export type Services = Awaited<ReturnType<typeof openServices>>;

/** How long another command may take to start its services, or to end, on a busy machine. */
const OTHERS_MILLISECONDS = 10_000;
const LOOK_MILLISECONDS = 25;

/** What is killed needs a moment to die. */
const DYING_MILLISECONDS = 500;

interface ServiceOptions {
  readonly workflow: string;
  /** What the queues are to be, for an engine; left out, they stay as they are. */
  readonly topology?: Topology;
  readonly state: StateDirectory;
  /** Whether to drop first what earlier engines left. */
  readonly fresh?: boolean | undefined;
  /** What strikes the queues, where it is to be shown that nothing is lost by it. */
  readonly faults?: Faults;
  /** Called before each step of the start that takes a moment. */
  readonly onStep?: ((step: StartStep) => void) | undefined;
}

const useOf = ({ topology }: ServiceOptions): Use => (topology === undefined ? "look" : "engine");

/**
 * Starts the services over what an engine left, or anew, without running anything. Locks the state directory until they
 * are closed. Commands that only look into it are waited for.
 *
 * @throws {SluiceError} `ENGINE_RUNNING`: an engine works in the directory, or another command has held it for ten
 *   seconds. `STATE_UNUSABLE`, `LEDGER_UNREADABLE`.
 */
export async function openServices(options: ServiceOptions) {
  const { state } = options;
  options.onStep?.("services");
  for (let waited = 0; !state.lock(useOf(options)); waited += LOOK_MILLISECONDS) {
    const isEngine = state.holder()?.use === "engine";
    if (waited >= (isEngine ? DYING_MILLISECONDS : OTHERS_MILLISECONDS)) throw state.taken();
    await setTimeout(LOOK_MILLISECONDS);
  }
  return await openOrUnlock(options);
}

async function openOrUnlock(options: ServiceOptions) {
  const { state } = options;
  try {
    if (options.fresh === true) state.clear();
    return await openLocked(options);
  } catch (error) {
    state.unlock();
    throw error;
  }
}

async function openLocked(options: ServiceOptions) {
  const { workflow, topology, state, faults } = options;
  const accessKeyId = newAccessKeyId();
  const sqs = await startSqsServer({
    file: state.queues,
    accessKeyId,
    ...(faults && { faults }),
    // A command that looks at 100,000 dead letters reads each once: a cache would only make it larger.
    ...(topology === undefined && { cacheMegabytes: 8 }),
  });
  let dynamoDb: DynamoDbThread | undefined;
  const close = async () => {
    await Promise.all([sqs.close(), dynamoDb?.close()]);
  };
  try {
    // The directory is locked: whoever had received them is gone, be it an engine or a command that looked at letters.
    const names = queueNames(workflow);
    sqs.store.releaseOrphans({
      // Producers keep the visibility of a message short and renew it.
      [names.controlQueue]: "any",
      // Consumers that receive messages themselves shorten the visibility of the batch that they are invoked with.
      ...(topology !== undefined &&
        topology.consumer.refillSeconds > 0 && { [names.queue]: Math.ceil(topology.consumer.refillVisibilitySeconds) }),
    });
    if (topology !== undefined) createQueues(sqs.store, names, topology);
    dynamoDb = await startDynamoDbThread(state.tables, accessKeyId);
    const endpoints = { sqs: sqs.endpoint, dynamoDb: dynamoDb.endpoint, accessKeyId };
    const clients = connectLocally(workflow, endpoints, sqs.requestHandler);
    await dynamoDb.during(createLedgerTable(clients.dynamoDbClient, tableName(workflow)));
    state.announce(useOf(options), endpoints);
    return {
      ...clients,
      names,
      accessKeyId,
      sqs,
      dynamoDb,
      async close() {
        await clients.close();
        // Commands that came to these services meanwhile are about to end.
        for (let waited = 0; !state.retire(useOf(options)) && waited < OTHERS_MILLISECONDS; waited += LOOK_MILLISECONDS)
          await setTimeout(LOOK_MILLISECONDS);
        await close();
        state.unlock();
      },
    };
  } catch (error) {
    // What still listened would keep the command alive.
    await close();
    throw error;
  }
}

/**
 * Connects to the services of the process that works in a directory, or starts them where none does.
 *
 * @throws {SluiceError} `ENGINE_RUNNING`: another process has held the directory for ten seconds, without services.
 *   `STATE_UNUSABLE`, `LEDGER_UNREADABLE`.
 */
export async function reachServices(workflow: string, state: StateDirectory): Promise<ServiceClients> {
  // One that has the lock and no services yet is just starting them, or about to end.
  for (let waited = 0; waited < OTHERS_MILLISECONDS; waited += LOOK_MILLISECONDS) {
    const visit = state.visit();
    if (visit !== undefined) {
      const clients = connectLocally(workflow, visit.endpoints);
      return {
        ...clients,
        async close() {
          await clients.close();
          visit.leave();
        },
      };
    }
    if (state.lock("look")) return await openOrUnlock({ workflow, state });
    await setTimeout(LOOK_MILLISECONDS);
  }
  throw state.taken();
}

/** @param requestHandler The way to the queues, where they are in this process. Default: HTTP. */
export function connectLocally(workflow: string, endpoints: Endpoints, requestHandler?: InProcessHandler) {
  const access = ownAccess(endpoints);
  const dynamoDbClient = new DynamoDBClient({
    ...LEAN_CLIENT,
    ...explicitSettings(access, access.dynamoDbEndpoint),
    ...clientConfig(),
  });
  const sqsClient = new SQSClient({
    ...LEAN_CLIENT,
    ...explicitSettings(access, access.sqsEndpoint),
    ...clientConfig(),
    // On the loopback interface nothing is lost on the way: a digest of each body would only take time.
    md5: false,
    cacheMiddleware: true,
    ...(requestHandler && { requestHandler }),
  });
  // Nobody reads what it prepares.
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
