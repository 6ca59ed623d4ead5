import { relative } from "node:path";
import { setTimeout } from "node:timers/promises";
import { type Engine, startEngine } from "../../local/engine.ts";
import { openServices, type Services } from "../../local/local-services.ts";
import type { StartStep } from "../../local/start-step.ts";
import { StateDirectory } from "../../local/state-directory.ts";
import { type Topology, topology } from "../../shared/definition/topology.ts";
import { EXIT } from "../exit-code.ts";
import { chooseDisplay, type Display, writeJson } from "../screens/display.ts";
import { plural, style } from "../screens/format.ts";
import { say } from "../screens/paragraph.ts";
import { formatSummary } from "../screens/summary.ts";
import { type LoadedWorkflow, loadWorkflow, startCompanion } from "../targets/workflow-file.ts";
import { type CountsBefore, countsBefore, follow } from "./follow.ts";

export interface SessionOptions {
  readonly json: boolean;
  readonly fresh?: boolean | undefined;
  readonly concurrency?: number | undefined;
  /** What the user types for the workflow, where it is loaded by its file. */
  readonly name?: string;
}

export interface Session extends SessionOptions {
  readonly loaded: LoadedWorkflow;
  readonly topology: Topology;
  readonly state: StateDirectory;
  readonly display: Display;
}

/** A consumer's last poll takes up to a second. */
const CLOSING_MILLISECONDS = 2_000;
const BEGUN_POLL_MILLISECONDS = 20;

/** What a command that works on a workflow's embedded engine begins with. Nothing is started yet. */
export async function openSession(workflowName: string, options: SessionOptions): Promise<Session> {
  const found = await loadWorkflow(workflowName);
  const loaded = { ...found, name: options.name ?? found.name };
  const { workflow } = loaded;
  const { concurrency = workflow.concurrency } = options;
  // Another concurrency than the workflow's may not be a multiple of its tasksPerEnvironment: then it is derived anew.
  const keepsShare = workflow.tasksPerEnvironment !== undefined && concurrency % workflow.tasksPerEnvironment === 0;
  const share = concurrency === workflow.concurrency || keepsShare ? workflow.tasksPerEnvironment : undefined;
  return {
    ...options,
    loaded,
    topology: topology({ ...workflow, concurrency, tasksPerEnvironment: share }),
    state: new StateDirectory(workflow.name),
    display: chooseDisplay(options),
  };
}

/** Begins or finds the run that a session works on. */
export type ChooseRun = (services: Services) => Promise<{
  readonly id: string;
  readonly limit?: number | undefined;
  begin(): Promise<void>;
}>;

/**
 * Works on a run in the embedded engine until it has ended or the user interrupts. Returns the exit code.
 *
 * @param choose Called before anything runs. It says what is to be worked on, or throws why nothing is.
 */
export async function workOnRun(session: Session, choose: ChooseRun): Promise<number> {
  const { loaded, state, display, topology } = session;
  const { workflow, file } = loaded;
  const interrupt = listenForInterrupts(display);
  const onStep = (step: StartStep) => sayStep(session, step);
  const services = await openServices({ workflow: workflow.name, topology, state, fresh: session.fresh, onStep });
  let companion: Awaited<ReturnType<typeof startCompanion>> | undefined;
  let closing: { close(): Promise<void> } = services;
  try {
    const chosen = await choose(services);
    const { concurrency } = session;
    const { id: run, limit } = chosen;
    state.remember({ workflow: workflow.name, file, name: loaded.name, concurrency, run, limit });
    // Before anything of it can go on.
    const before = await countsBefore(services, run);
    let engine: Engine;
    try {
      companion = await startCompanion(loaded.companion);
      const options = { workflow, workflowFile: file, topology, state, variables: companion.environment, onStep };
      engine = await startEngine(options, services);
      closing = engine;
      await engine.ready();
    } catch (error) {
      // On a terminal Ctrl-C also ends the processes that the start needs, such as the bundler's.
      if (interrupt.soon.aborted) return interrupted(session, run);
      throw error;
    }
    // A start that waits in its queue would go on beside the next run, and no ledger knows of it.
    if (interrupt.soon.aborted) return interrupted(session, run);
    announce(session, run);
    await chosen.begin();
    // Only now: messages of a run that is paused until here would be put back.
    engine.deliver();
    return await workUntilDone(session, engine, { run, before }, interrupt);
  } finally {
    display.end();
    interrupt.stop();
    await closing.close();
    await companion?.close();
  }
}

async function workUntilDone(
  session: Session,
  engine: Engine,
  { run, before }: { readonly run: string; readonly before: CountsBefore },
  interrupt: { readonly soon: AbortSignal; readonly atOnce: AbortSignal },
): Promise<number> {
  const { display, loaded, topology, state, json } = session;
  const summary = await follow({ engine, run, before, display, interrupted: interrupt.soon, atOnce: interrupt.atOnce });
  display.end();
  // The invocations that noticed no more work end by themselves, and delete what they settled.
  if (typeof summary === "object") await Promise.race([engine.drain(), setTimeout(CLOSING_MILLISECONDS)]);
  for (const failure of engine.activity.fleet.failures) display.say(`${style("yellow", "warning")} ${failure}`);
  if (summary === "paused") {
    display.say(`Paused. Nothing is lost: npx sluice resume ${loaded.name} goes on with run ${run}.`);
    return EXIT.interrupted;
  }
  if (summary === "interrupted") {
    await begun(engine, run, interrupt.atOnce);
    return interrupted(session, run);
  }
  if (json) writeJson(summary);
  else {
    const logs = relative(process.cwd(), state.logs);
    say(formatSummary(summary, { name: loaded.name, concurrency: topology.concurrency, logs }));
  }
  if (summary.status === "failed" || summary.status === "cancelled") return EXIT.failed;
  return summary.dead > 0 ? EXIT.deadLetters : EXIT.succeeded;
}

function interrupted({ display, loaded }: Session, run: string): number {
  display.say(`Interrupted. Nothing is lost: npx sluice resume ${loaded.name} goes on with run ${run}.`);
  return EXIT.interrupted;
}

/** Waits until a run that was just requested stands in the ledger, where the next command finds it. */
async function begun(engine: Engine, run: string, atOnce: AbortSignal): Promise<void> {
  for (let waited = 0; waited < CLOSING_MILLISECONDS && !atOnce.aborted; waited += BEGUN_POLL_MILLISECONDS) {
    if ((await engine.runs.find(run)) !== undefined) return;
    await setTimeout(BEGUN_POLL_MILLISECONDS);
  }
}

const STEPS: Readonly<Record<StartStep, string>> = {
  services: "starting the queues and the ledger",
  bundle: "bundling the functions",
  environments: "starting execution environments",
};

/** Says which step of the start comes now. */
function sayStep({ display, json, loaded }: Session, step: StartStep): void {
  if (!json) display.say(style("dim", `${loaded.workflow.name}: ${STEPS[step]}`, process.stderr));
}

function announce({ loaded, topology, display, json }: Session, run: string): void {
  const { concurrency, environments, tasksPerEnvironment } = topology;
  if (json) writeJson({ type: "started", workflow: loaded.workflow.name, run, concurrency, environments });
  else {
    display.say(
      `${style("bold", loaded.workflow.name, process.stderr)} · run ${run} · ${concurrency} tasks in flight ` +
        `(${plural(environments, "environment")} of ${tasksPerEnvironment})`,
    );
  }
}

/** The first Ctrl-C asks for an end, the second does not ask. */
function listenForInterrupts(display: Display) {
  const soon = new AbortController();
  const atOnce = new AbortController();
  const onSignal = () => {
    if (soon.signal.aborted) atOnce.abort();
    else {
      display.say("Ending: tasks in flight are finished and recorded. Ctrl-C again ends at once.");
      soon.abort();
    }
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    soon: soon.signal,
    atOnce: atOnce.signal,
    stop() {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
    },
  };
}
