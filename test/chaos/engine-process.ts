/**
 * The engine of a run, in a process that can be killed. It begins or continues the run, and obeys the harness:
 * `node --import shifted-clock.ts engine-process.ts`.
 */
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { continueRun } from "../../cli/runs/continue-run.ts";
import { startEngine } from "../../local/engine.ts";
import { openServices, tableName } from "../../local/local-services.ts";
import { StateDirectory } from "../../local/state-directory.ts";
import { topology } from "../../shared/definition/topology.ts";
import { startEntry } from "../../shared/messages/control.ts";
import { startDynamoDbProxy } from "./dynamodb-proxy.ts";
import { note } from "./journal.ts";
import { RUN, WORKFLOW } from "./plan.ts";
import type { Command, Report } from "./protocol.ts";
import { CLOCK, directoryOfRun, readPlan } from "./settings.ts";
import { shortTopology } from "./short-topology.ts";
import { StruckFaults } from "./struck-faults.ts";
import workflow from "./workflow.ts";

const POLL_MILLISECONDS = 50;
/** A jump of the clock by more than this is a fault of the plan: a busy machine never stands still for so long. */
const JUMP_MILLISECONDS = 30_000;

const directory = directoryOfRun();
const plan = readPlan(directory);

const report = (message: Report) => {
  if (process.connected) process.send?.(message);
};
// If the harness is killed, it cannot end this process.
process.on("disconnect", () => process.exit(1));

const noteFault = (service: string) => (fault: string) =>
  note(directory, { type: "fault", fault: `${service} ${fault}` });
const faults = {
  SQS: new StruckFaults(plan.seed, plan.rates.SQS, noteFault("SQS")),
  DynamoDB: new StruckFaults(plan.seed + 1, plan.rates.DynamoDB, noteFault("DynamoDB")),
};
const state = new StateDirectory(WORKFLOW, directory);
const shape = shortTopology(topology(workflow), plan);
const services = await openServices({ workflow: WORKFLOW, topology: shape, state, faults: faults.SQS });
const proxy = await startDynamoDbProxy(services.dynamoDb.endpoint, faults.DynamoDB);
const { runs, names, sqs } = services;
const engine = await startEngine(
  {
    workflow,
    workflowFile: fileURLToPath(new URL("./workflow.ts", import.meta.url)),
    topology: shape,
    state,
    variables: { [CLOCK]: "functions" },
  },
  { ...services, dynamoDb: { ...services.dynamoDb, endpoint: proxy.endpoint } },
);
engine.deliver();
report({
  type: "up",
  endpoints: {
    sqs: sqs.endpoint,
    dynamoDb: services.dynamoDb.endpoint,
    accessKeyId: services.accessKeyId,
    table: tableName(WORKFLOW),
    deadLetterQueueUrl: sqs.queueUrl(names.deadLetterQueue),
    controlDeadLetterQueueUrl: sqs.queueUrl(names.controlDeadLetterQueue),
  },
});

// The harness acts as a person would: it repeats a command that failed.
async function untilItWorks(command: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await command();
      return;
    } catch {
      await setTimeout(100);
    }
  }
}

process.on("message", async (command: Command) => {
  let paused = false;
  switch (command.type) {
    case "rates":
      faults[command.service].setRates(command.rates);
      break;
    // As the CLI's commands do.
    case "cancel":
      await runs.cancel(RUN);
      await untilItWorks(async () => continueRun(engine.controlQueue, await runs.get(RUN)));
      break;
    case "pause":
      paused = (await runs.pause(RUN)) !== undefined;
      break;
    case "resume":
      await runs.reopen(RUN);
      await untilItWorks(async () => continueRun(engine.controlQueue, await runs.get(RUN)));
      break;
    case "end":
      await engine.close();
      await proxy.close();
      process.exit(0);
  }
  report({ type: "obeyed", command: command.type, paused });
});

if ((await runs.find(RUN)) === undefined) {
  const entry = startEntry({ workflow: WORKFLOW, run: RUN, requestedAt: new Date().toISOString() });
  await untilItWorks(() => engine.controlQueue.sendControl(entry));
}
for (;;) {
  const run = await runs.find(RUN);
  const { manifest, compactionsAsked = 0, compactionsDone = 0 } = run?.results ?? {};
  const messagesOf = (queue: string) => {
    const { visible, inFlight, delayed } = sqs.store.counts(queue);
    return visible + inFlight + delayed;
  };
  report({
    type: "state",
    status: run?.status,
    completedAt: run?.completedAt,
    handled: run?.completionHandledAt !== undefined,
    hasFinalResults: plan.results !== true || (manifest !== undefined && compactionsAsked <= compactionsDone),
    messages: messagesOf(names.queue),
    controlMessages: messagesOf(names.controlQueue),
  });
  const before = Date.now();
  await setTimeout(POLL_MILLISECONDS);
  // Timers do not notice that the clock was set.
  if (Math.abs(Date.now() - before) > JUMP_MILLISECONDS) sqs.store.clockAdvanced();
}
