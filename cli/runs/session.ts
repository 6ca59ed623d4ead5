import { existsSync } from "node:fs";
import { basename, relative } from "node:path";
import { setTimeout } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { type Engine, startEngine } from "../../local/engine.ts";
import { openServices, type Services } from "../../local/local-services.ts";
import { HistoryWriter } from "../../local/run-history.ts";
import type { StartStep } from "../../local/start-step.ts";
import { StateDirectory } from "../../local/state-directory.ts";
import { ConfigurationError } from "../../shared/base/errors.ts";
import type { Topology } from "../../shared/definition/topology.ts";
import type { CountsBefore } from "../../shared/observe/live-counts.ts";
import { EXIT } from "../exit-code.ts";
import { plural, style } from "../screens/format.ts";
import { paragraph, say } from "../screens/paragraph.ts";
import { withRepeatedHeadline } from "../screens/repeated-headline.ts";
import { terminalLayout } from "../screens/run-details.ts";
import { formatSummary, type Summary } from "../screens/summary.ts";
import { roomOf } from "../screens/terminal-width.ts";
import { writeJson } from "../screens/write-json.ts";
import { type LoadedWorkflow, loadWorkflow, startCompanion } from "../targets/workflow-file.ts";
import { countsBefore, follow } from "./follow.ts";
import { localTopology } from "./local-topology.ts";
import { RunInterrupts } from "./run-interrupts.ts";
import { interruptedText, type StartUp } from "./start-up.ts";

export interface SessionOptions {
  readonly json: boolean;
  readonly fresh?: boolean | undefined;
  readonly concurrency?: number | undefined;
  /** What the user types for the workflow, if `openSession` gets the workflow's file instead. */
  readonly name?: string;
  /** The name of the workflow whose run is continued. Absent for a new run. */
  readonly workflow?: string;
  /** The directory in which the run that is continued was started. Absent for a new run. */
  readonly directory?: string | undefined;
}

/** What a command needs to work on a run in the embedded engine. */
export interface Session extends SessionOptions {
  readonly loaded: LoadedWorkflow;
  readonly topology: Topology;
  readonly state: StateDirectory;
  readonly startUp: StartUp;
}

/** The last poll of a consumer takes up to a second. */
const CLOSING_MILLISECONDS = 2_000;
const BEGUN_POLL_MILLISECONDS = 20;
/** On a terminal, Ctrl-C also ends the bundler. Its error may arrive this much sooner than the signal. */
const SIGNAL_MILLISECONDS = 50;

/**
 * Loads a workflow and derives its topology. Starts nothing.
 *
 * @throws {ConfigurationError} There is no such workflow, it is invalid, or it is another one than the run's.
 */
export async function openSession(workflowName: string, options: SessionOptions, startUp: StartUp): Promise<Session> {
  const { directory = process.cwd() } = options;
  // The paths of the source's files are relative to the directory in which the run was started.
  if (directory !== process.cwd() && existsSync(directory)) process.chdir(directory);
  const found = await loadWorkflow(workflowName);
  const loaded = { ...found, name: options.name ?? found.name };
  const { workflow } = loaded;
  const { workflow: expected = workflow.name } = options;
  if (workflow.name !== expected) {
    throw new ConfigurationError(
      `${loaded.file} now defines the workflow "${workflow.name}", but the run belongs to the workflow "${expected}". Sluice ` +
        `finds a run's state by the name of its workflow. Set the name back to "${expected}" to continue or cancel the run, or ` +
        `delete ${relative(process.cwd(), new StateDirectory(expected).path)} to give the run up`,
    );
  }
  return {
    ...options,
    loaded,
    topology: localTopology(workflow, options.concurrency),
    state: new StateDirectory(workflow.name),
    startUp,
  };
}

/** Decides which run a session works on, before anything runs. It throws if there is nothing to do. */
export type ChooseRun = (services: Services) => Promise<{
  readonly id: string;
  readonly limit?: number | undefined;
  /** Sends the message that starts or continues the run. */
  begin(): Promise<void>;
}>;

/** Works on a run in the embedded engine until it has ended or the user interrupts. Returns the exit code. */
export async function workOnRun(session: Session, choose: ChooseRun): Promise<number> {
  const { loaded, state, topology, startUp } = session;
  const { workflow, file } = loaded;
  const onStep = (step: StartStep) => startUp.step(STEPS[step]);
  const services = await openServices({ workflow: workflow.name, topology, state, fresh: session.fresh, onStep });
  let companion: Awaited<ReturnType<typeof startCompanion>> | undefined;
  let closing: { close(): Promise<void> } = services;
  let interrupts: RunInterrupts | undefined;
  try {
    const chosen = await choose(services);
    const { concurrency } = session;
    const { id: run, limit } = chosen;
    state.remember({
      workflow: workflow.name,
      file,
      name: loaded.name,
      directory: process.cwd(),
      concurrency,
      run,
      limit,
    });
    startUp.chose({ id: run, name: loaded.name });
    // The counts are read before the run can continue.
    const before = await countsBefore(services, run);
    if (loaded.companion !== undefined) startUp.step(`starting ${basename(loaded.companion)}`);
    companion = await startCompanion(loaded.companion);
    const options = { workflow, workflowFile: file, topology, state, variables: companion.environment, onStep };
    const engine = await startEngine(options, services).catch(afterSignals);
    closing = engine;
    await engine.ready().catch(afterSignals);
    startUp.end();
    interrupts = new RunInterrupts(startUp.display);
    announce(session, run);
    engine.noteRun(run);
    await chosen.begin();
    // Deliveries start only now. Until `begin` has reopened the run, it may be paused, and consumers would return its
    // messages to the queue.
    engine.deliver();
    return await workUntilDone(session, engine, { run, before }, interrupts);
  } finally {
    startUp.end();
    interrupts?.stop();
    await closing.close();
    await companion?.close();
  }
}

/**
 * Waits for a signal that may have caused an error, then rethrows the error. During the start-up, the signal ends the
 * process.
 */
async function afterSignals(error: unknown): Promise<never> {
  await setTimeout(SIGNAL_MILLISECONDS);
  throw error;
}

async function workUntilDone(
  session: Session,
  engine: Engine,
  { run, before }: { readonly run: string; readonly before: CountsBefore },
  { soon, atOnce }: RunInterrupts,
): Promise<number> {
  const { startUp, loaded, topology, state, json } = session;
  const { display } = startUp;
  const history = new HistoryWriter(state, run);
  const { concurrency: ceiling } = topology;
  let summary: Awaited<ReturnType<typeof follow>>;
  let results: Awaited<ReturnType<typeof resultsAtEnd>>;
  do {
    summary = await follow({ engine, run, before, display, ceiling, history, interrupted: soon, atOnce });
    display.end();
    results =
      typeof summary === "object" && loaded.workflow.results !== undefined
        ? await resultsAtEnd(session, engine, run, AbortSignal.any([soon, atOnce]))
        : undefined;
  } while (typeof summary === "object" && !soon.aborted && !(await staysEnded(engine, run, summary)));
  // Invocations end by themselves once there is no work, and then delete the messages that they settled.
  if (typeof summary === "object") await Promise.race([engine.drain(), setTimeout(CLOSING_MILLISECONDS)]);
  for (const failure of engine.activity.fleet.failures) display.say(`${style("yellow", "warning")} ${failure}`);
  if (summary === "paused") {
    display.say(`Paused. Nothing is lost. Continue run ${run} with: npx sluice resume ${loaded.name}`);
    return EXIT.interrupted;
  }
  if (summary === "interrupted") {
    await begun(engine, run, atOnce);
    display.say(interruptedText({ id: run, name: loaded.name }));
    return EXIT.interrupted;
  }
  if (json) writeJson({ ...summary, ...(results && { results: { rows: results.rows, files: results.files } }) });
  else {
    const context = { name: loaded.name, concurrency: topology.concurrency, results, ...terminalLayout() };
    const text = paragraph(formatSummary(summary, context), process.stdout);
    say(withRepeatedHeadline(text, roomOf(process.stdout)));
  }
  if (summary.status === "failed" || summary.status === "cancelled") return EXIT.failed;
  return summary.dead > 0 ? EXIT.deadLetters : EXIT.succeeded;
}

/**
 * Keeps other commands away, and returns whether the run is still as it was. Another command may have resumed it or sent dead
 * letters back, because it found an engine that works. Then this engine must continue.
 */
async function staysEnded(engine: Engine, run: string, { status, succeeded, dead }: Summary): Promise<boolean> {
  await engine.withdraw();
  const record = await engine.runs.get(run);
  const counts = await engine.runs.counts(record);
  if (record.status === status && counts.succeeded === succeeded && counts.dead === dead) return true;
  engine.offer();
  return false;
}

/** How long the end of a run waits until its results are in files. After that, `sluice results` finds them. */
const RESULTS_MILLISECONDS = 45_000;
/** If that takes longer than this, the command says what it waits for. */
const SILENT_MILLISECONDS = 1_000;

/** Where the results of a run that has ended are. `undefined`: they are not in files yet. */
async function resultsAtEnd({ state, startUp }: Session, engine: Engine, run: string, interrupted: AbortSignal) {
  const [{ previewResults }, { FileObjectStore }] = await Promise.all([
    import("../results/preview-results.ts"),
    import("../../shared/results/file-object-store.ts"),
  ]);
  const over = AbortSignal.any([interrupted, AbortSignal.timeout(RESULTS_MILLISECONDS)]);
  const store = new FileObjectStore(pathToFileURL(state.results).href);
  const explained = new AbortController();
  void setTimeout(SILENT_MILLISECONDS, undefined, { signal: explained.signal }).then(
    () =>
      startUp.display.say(
        "Writing the results into files. After a redrive, this begins half a minute after the first success.",
      ),
    () => {},
  );
  try {
    return await previewResults(engine, store, run, over);
  } finally {
    explained.abort();
  }
}

/** Waits until a run that was just requested is in the ledger, where the next command finds it. */
async function begun(engine: Engine, run: string, atOnce: AbortSignal): Promise<void> {
  for (let waited = 0; waited < CLOSING_MILLISECONDS && !atOnce.aborted; waited += BEGUN_POLL_MILLISECONDS) {
    if ((await engine.runs.find(run)) !== undefined) return;
    await setTimeout(BEGUN_POLL_MILLISECONDS);
  }
}

const STEPS: Readonly<Record<StartStep, string>> = {
  services: "opening the queues and the ledger",
  bundle: "bundling the functions",
  environments: "starting the execution environments",
};

function announce({ loaded, topology, startUp, json }: Session, run: string): void {
  const { concurrency, environments, tasksPerEnvironment } = topology;
  if (json) writeJson({ type: "started", workflow: loaded.workflow.name, run, concurrency, environments });
  else {
    startUp.display.say(
      `${style("bold", loaded.workflow.name, process.stderr)} · run ${run} · ${concurrency} tasks in flight ` +
        `(${plural(environments, "environment")} of ${tasksPerEnvironment})`,
    );
  }
}
