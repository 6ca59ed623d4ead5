import type { RunRecord } from "../ledger/run-record.ts";
import type { Runs } from "../ledger/runs.ts";
import { type StartMessage, startEntry } from "../messages/control.ts";
import type { ProducerContext } from "./context.ts";
import { mayReceiveAgain, type ReceivedControl } from "./received-control.ts";
import { DONE, type Verdict } from "./verdict.ts";

/** How long a start message is hidden while an earlier run is active. After this time, the producer checks again. */
const OVERLAP_PAUSE_MILLISECONDS = 30_000;

/**
 * Applies the workflow's option `overlap` to a scheduled start. If an earlier run is still active, the new run is
 * skipped, or its start waits.
 *
 * @returns what happens to the start message. `undefined` if the run may start, or has started before.
 */
export async function applyOverlap(
  message: StartMessage,
  control: ReceivedControl,
  context: ProducerContext,
): Promise<Verdict | undefined> {
  const { run: id, workflow: name, requestedAt } = message;
  const { runs, workflow, logger } = context;
  const known = await runs.find(id);
  // Look for an active run before the row of the new run is written. If there is one, no row must be removed later.
  const [active] = known === undefined ? await runs.active.list() : [];
  const earlier = active ?? (await enterAlone(message, context));
  if (earlier === undefined) return undefined;
  if (workflow.overlap !== "skip") return await waitForEarlier(message, control, context);
  logger.warn("skipped a scheduled run, because an earlier run still works", { run: id, earlier: earlier.id });
  await runs.skip({ id, workflow: name, requestedAt }, earlier);
  return DONE;
}

/** Makes the run the only active run. Returns another run if that run became active first. */
async function enterAlone(message: StartMessage, context: ProducerContext): Promise<RunRecord | undefined> {
  const { runs } = context;
  const run = await runs.create({ ...runToCreate(message, context), exclusive: true });
  return run.status === "running" ? await runs.active.enterAlone(run) : undefined;
}

/** Returns what the row of a new run contains. */
export function runToCreate(message: StartMessage, context: ProducerContext): Parameters<Runs["create"]>[0] {
  const { run: id, workflow: name, requestedAt } = message;
  const { toleratedFailures: tolerance, results } = context.workflow;
  const { codeVersion } = context;
  const limit = limitOf(message, context);
  return { id, workflow: name, requestedAt, limit, tolerance, results, codeVersion, lanes: lanesOf(message, context) };
}

const limitOf = ({ limit }: StartMessage, { workflow }: ProducerContext): number | undefined => limit ?? workflow.limit;

/**
 * The number of lanes of a new run. `undefined`: the run reads its source as one part.
 *
 * A run with a limit of items has one lane, which reads the partitions in their order. So the run has exactly the first
 * items.
 */
export function lanesOf(message: StartMessage, context: ProducerContext): number | undefined {
  const { source, producers } = context.workflow;
  if (source.partitions === undefined) return undefined;
  return limitOf(message, context) === undefined ? producers : 1;
}

async function waitForEarlier(
  message: StartMessage,
  control: ReceivedControl,
  { controlQueue }: ProducerContext,
): Promise<Verdict> {
  if (mayReceiveAgain(control)) return { tag: "wait", milliseconds: OVERLAP_PAUSE_MILLISECONDS };
  const { sluice: _, type: __, ...start } = message;
  await controlQueue.sendControl(startEntry({ ...start, hop: (message.hop ?? 0) + 1 }));
  return DONE;
}
