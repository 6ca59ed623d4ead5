import { statSync } from "node:fs";
import { join } from "node:path";
import { HistoryReader, latestSample } from "../../local/run-history.ts";
import { type Origin, StateDirectory } from "../../local/state-directory.ts";
import { overviewOf } from "../../shared/ledger/run-overview.ts";
import { fleetOf } from "../../shared/observe/fleet-facts.ts";
import { type RunView, runView } from "../../shared/observe/run-view.ts";
import type { Sample } from "../../shared/observe/sample.ts";
import type { ListedRun, Overview } from "../../ui/server/api.ts";
import type { SampleReader } from "../../ui/server/place.ts";
import { latestAndActive } from "../targets/find-run.ts";
import type { Target } from "../targets/target.ts";
import { workflowNames } from "../targets/workflow-file.ts";
import { TargetTurns } from "./one-at-a-time.ts";
import { CommandRunner } from "./run-command.ts";
import { TargetPlace } from "./target-place.ts";

/** How many of a workflow's latest runs are listed, besides its active runs. */
const LISTED = 50;
/** While an engine works, the ledger is read at most this often: only if the samples do not tell enough. */
const READ_MILLISECONDS = 2_000;
/** A sample that is older does not show what a run does now. */
const LIVE_MILLISECONDS = 15_000;

/** What is known of a workflow that was run here. */
interface Known {
  readonly state: StateDirectory;
  origin: Origin;
  running: boolean;
  /** Changes when another process begins or ends to use the state. The ledger is then read again. */
  fingerprint: string;
  runs: readonly RunView[];
  deadLetters: number | null;
  readAt: number;
  isStale: boolean;
  live: Sample | null;
}

/**
 * The runs of this machine. While an engine works, its command writes samples into a file, and this class reads that file only.
 * The ledger is read when a run begins or ends, and after a change.
 */
export class LocalPlace extends TargetPlace {
  readonly #known = new Map<string, Known>();
  #problem: string | null = null;
  #failure: string | null = null;
  #isRead = false;

  constructor() {
    super(
      new TargetTurns({}),
      new CommandRunner({
        flags: [],
        onEnd: () => {
          for (const known of this.#known.values()) known.isStale = true;
        },
      }),
    );
  }

  get overview(): Overview {
    const all = [...this.#known.values()];
    return {
      place: "this machine",
      flags: "",
      isStack: false,
      writable: true,
      startable: workflowNames(),
      workflows: all.map(({ origin: { workflow, name }, running, deadLetters }) => ({
        workflow,
        name,
        running,
        deadLetters,
      })),
      runs: all.flatMap((known) => known.runs.map((run) => listed(run, known))).sort(newestFirst),
      problem: this.#problem ?? this.#failure,
      isRead: this.#isRead && all.every(({ readAt }) => readAt > 0),
    };
  }

  async refresh(): Promise<void> {
    const states = StateDirectory.all();
    const problems: string[] = [];
    for (const state of states) {
      const { origin } = state;
      if (origin === undefined) continue;
      try {
        await this.#look(state, origin);
      } catch (error) {
        problems.push((error as Error).message);
      }
    }
    const workflows = new Set(states.map(({ origin }) => origin?.workflow));
    for (const workflow of this.#known.keys()) if (!workflows.has(workflow)) this.#known.delete(workflow);
    this.#isRead = true;
    this.#problem = problems.length === 0 ? null : problems.join(" ");
  }

  samplesOf(workflow: string, run: string): SampleReader {
    return new HistoryReader(new StateDirectory(workflow), run);
  }

  /** The samples have the durations. */
  async durations(): Promise<null> {
    return null;
  }

  protected readonly flags = [];

  protected nameOf(workflow: string) {
    const origin = this.#known.get(workflow)?.origin;
    return { name: origin?.name ?? workflow, file: origin?.file };
  }

  protected asTarget(workflow: string): Pick<Target, "workflow" | "local"> {
    return { workflow, local: this.#known.get(workflow)?.origin };
  }

  protected changed(workflow: string): void {
    const known = this.#known.get(workflow);
    if (known !== undefined) known.isStale = true;
    this.#failure = null;
  }

  protected failed(message: string): void {
    this.#failure = message;
  }

  async #look(state: StateDirectory, origin: Origin): Promise<void> {
    const owner = state.lockOwner();
    const running = owner?.use === "engine";
    const known = this.#known.get(origin.workflow) ?? {
      state,
      origin,
      running,
      fingerprint: "",
      runs: [],
      deadLetters: null,
      readAt: 0,
      isStale: true,
      live: null,
    };
    this.#known.set(origin.workflow, known);
    known.origin = origin;
    known.running = running;
    const now = Date.now();
    const sample = running ? latestSample(state, origin.run) : undefined;
    known.live = sample !== undefined && now - sample.at < LIVE_MILLISECONDS ? sample : null;
    const fingerprint = [owner?.pid, owner?.endpoints?.sqs, origin.run, known.live?.status, writtenAt(state)].join();
    if (fingerprint !== known.fingerprint) {
      known.fingerprint = fingerprint;
      known.isStale = true;
    }
    const current = known.runs.find(({ run }) => run === origin.run);
    const isBusy = this.turns.isBusy(origin.workflow);
    // The counts of the engine do not know which dead letters are sent back to it.
    const mustRead = known.isStale || (running && (current === undefined || current.redriven || isBusy));
    // An engine that is starting or ending offers no services, and this process does not wait for it.
    const isReachable = owner === undefined || owner.endpoints !== undefined;
    if (!mustRead || !isReachable || now - known.readAt < READ_MILLISECONDS) return;
    // A work of this process has opened the services, and its end makes the state stale. An engine has services for both.
    if (isBusy && !running) return;
    known.isStale = false;
    const read = (target: Target) => this.#read(known, target);
    await (isBusy ? this.turns.beside(origin.workflow, read) : this.turns.take(origin.workflow, read)).catch(
      (error) => {
        known.isStale = true;
        throw error;
      },
    );
    known.readAt = Date.now();
    // The services of this process have changed the state directory.
    known.fingerprint = "";
    const after = state.lockOwner();
    known.fingerprint = [after?.pid, after?.endpoints?.sqs, origin.run, known.live?.status, writtenAt(state)].join();
  }

  async #read(known: Known, target: Target): Promise<void> {
    const { services, running } = target;
    const runs: RunView[] = [];
    for (const listed of await latestAndActive(services.runs, LISTED)) {
      const run = await overviewOf(services.ledger.store, listed);
      const counts = await services.runs.counts(listed);
      const view = runView({ run, running }, counts, running ? await fleetOf({ run, services }) : undefined);
      // The limit row counts the attempts of all runs. The run's own are in its history.
      runs.push({ ...view, throttled: latestSample(known.state, run.id)?.throttled ?? view.throttled });
    }
    const { visible, inFlight, delayed } = await services.deadLetterQueue.depth();
    known.runs = runs;
    known.deadLetters = visible + inFlight + delayed;
  }
}

/** When a command last closed the state: `state.json` is written then. */
const writtenAt = ({ path }: StateDirectory): number =>
  statSync(join(path, "state.json"), { throwIfNoEntry: false })?.mtimeMs ?? 0;

/** A run with what its latest sample says. */
function listed(run: RunView, { live, origin }: Known): ListedRun {
  if (live === null || origin.run !== run.run || run.completedAt !== null) return { ...run, live: null };
  const { produced, succeeded, dead, retried, pages = run.pages, ended: sourceEnded = run.sourceEnded } = live;
  // An item that died here and was sent back counts twice for the engine. The ledger counts it once.
  if (run.redriven) return { ...run, pages, sourceEnded, live };
  const pending = Math.max(0, produced - succeeded - dead - run.cancelled);
  return { ...run, produced, succeeded, dead, retried, pending, pages, sourceEnded, throttled: live.throttled, live };
}

export const newestFirst = (a: RunView, b: RunView): number => (a.requestedAt < b.requestedAt ? 1 : -1);
