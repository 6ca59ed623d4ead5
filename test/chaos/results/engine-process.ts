/**
 * An engine that works on the run of `workflow.ts` in the present directory, with duplicate deliveries, until the run has
 * ended and its results are final. It prints "up" when it begins to deliver messages, and one line of JSON with the counts at its end. The harness kills it.
 */
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { continueRun } from "../../../cli/runs/continue-run.ts";
import { startEngine } from "../../../local/engine.ts";
import { openServices } from "../../../local/local-services.ts";
import { Faults } from "../../../local/sqs/injected-faults.ts";
import { StateDirectory } from "../../../local/state-directory.ts";
import { redrive } from "../../../shared/dead-letters/redrive.ts";
import { topology as topologyOf } from "../../../shared/definition/topology.ts";
import { hasEnded } from "../../../shared/ledger/run-record.ts";
import { startEntry } from "../../../shared/messages/control.ts";
import workflow from "./workflow.ts";

const RUN = "run-1";
const POLL_MILLISECONDS = 100;

const [seed = "1", action = "run"] = process.argv.slice(2);
const state = new StateDirectory(workflow.name);
const topology = topologyOf(workflow);
const workflowFile = fileURLToPath(new URL("workflow.ts", import.meta.url));
const faults = new Faults({ seed: Number(seed), duplicate: 0.02 });
const services = await openServices({ workflow: workflow.name, topology, state, faults });
// So `sluice results` finds the run.
state.remember({ workflow: workflow.name, file: workflowFile, name: workflow.name, run: RUN });
const variables = Object.fromEntries(
  ["SLUICE_KILLED_ITEMS", "SLUICE_KILLED_REDRIVES"].map((name) => [name, process.env[name] ?? ""]),
);
const engine = await startEngine({ workflow, workflowFile, topology, state, variables }, services);
const { runs, controlQueue } = engine;
// A request may time out, because the machine has other work. A person repeats the command.
const patiently = async <Result>(work: () => Promise<Result>): Promise<Result> => {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      console.error(String(error));
      await setTimeout(POLL_MILLISECONDS);
    }
  }
};
const begun = await patiently(() => runs.find(RUN));
if (begun === undefined) {
  const entry = startEntry({ workflow: workflow.name, run: RUN, requestedAt: new Date().toISOString() });
  await patiently(() => controlQueue.sendControl(entry));
} else if (!hasEnded(begun)) await patiently(() => continueRun(controlQueue, begun));
if (action === "redrive") {
  await patiently(() => redrive({ ...services, select: () => true, exactCounts: true }));
}
engine.deliver();
console.log("up");
/** The counts are final when nothing has changed for some polls: a redriven item settles later than its run ended. */
const QUIET_POLLS = 20;
let quiet = 0;
let last = "";
while (quiet < QUIET_POLLS) {
  await setTimeout(POLL_MILLISECONDS);
  const run = await patiently(() => runs.find(RUN));
  const { visible, inFlight, delayed } = await patiently(() => services.queue.depth());
  const control = await patiently(() => services.controlQueue.depth());
  const messages = visible + inFlight + delayed + control.visible + control.inFlight + control.delayed;
  const { manifest, compactionsAsked = 0, compactionsDone = -1 } = run?.results ?? {};
  const isFinal = manifest !== undefined && compactionsAsked <= compactionsDone && run !== undefined && hasEnded(run);
  const now = JSON.stringify([messages, run?.results]);
  quiet = isFinal && messages === 0 && now === last ? quiet + 1 : 0;
  last = now;
}
const run = await patiently(() => runs.get(RUN));
const { succeeded, dead, pending } = await patiently(() => runs.counts(run));
console.log(JSON.stringify({ status: run.status, succeeded, dead, pending, manifest: run.results?.manifest }));
await engine.close();
process.exit(0);
