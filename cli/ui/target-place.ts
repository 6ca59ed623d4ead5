import { toError } from "../../shared/base/errors.ts";
import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import { type PartitionStates, partitionStates } from "../../shared/ledger/partition-states.ts";
import type {
  CheckResult,
  CommandRequest,
  DurationsView,
  ItemEdits,
  LogRequest,
  LogView,
  Overview,
  PartitionFilter,
  ResultsView,
  RunDetail,
} from "../../ui/server/api.ts";
import type { DeadLetterWork, Place, SampleReader, WorkResult } from "../../ui/server/place.ts";
import type { Target } from "../targets/target.ts";
import { loadWorkflow } from "../targets/workflow-file.ts";
import { loadDeadLetters, purgeSelected, redriveSelected } from "./dead-letter-work.ts";
import { definitionLines } from "./definition-lines.ts";
import { checkEdits } from "./item-edits.ts";
import type { TargetTurns } from "./one-at-a-time.ts";
import { type CommandRunner, wordsOf } from "./run-command.ts";
import { readLogs } from "./run-logs.ts";
import { allResults, firstResults } from "./shown-results.ts";

/** How many partitions the page shows at once. The names of 100 are in one row of the ledger. */
const PARTITIONS_SHOWN = 100;

/** What this machine and a deployed stack have in common: both are reached through targets. */
export abstract class TargetPlace implements Place {
  protected readonly turns: TargetTurns;
  protected readonly commands: CommandRunner;

  constructor(turns: TargetTurns, commands: CommandRunner) {
    this.turns = turns;
    this.commands = commands;
  }

  abstract get overview(): Overview;
  abstract refresh(): Promise<void>;
  abstract samplesOf(workflow: string, run: string): SampleReader;
  abstract durations(workflow: string, run: string): Promise<DurationsView | null>;
  /** What a command needs to act on the same target. */
  protected abstract readonly flags: readonly string[];
  /** The state of the workflow has changed, and should be read again soon. */
  protected abstract changed(workflow: string): void;
  /** What the user types for a workflow, and its file if it is known. */
  protected abstract nameOf(workflow: string): { readonly name: string; readonly file: string | undefined };

  async detail(workflow: string): Promise<RunDetail> {
    const { name, file } = this.nameOf(workflow);
    try {
      const loaded = await loadWorkflow(file ?? name);
      return { definition: definitionLines(loaded.workflow), file: loaded.file, problem: null };
    } catch (error) {
      return { definition: [], file: file ?? null, problem: toError(error).message };
    }
  }

  async partitions(workflow: string, run: string, show: PartitionFilter, offset: number): Promise<PartitionStates> {
    return await this.withTarget(workflow, async ({ services }) => {
      const phases = show === "open" ? (["failed", "reading"] as const) : undefined;
      const choice = { phases, offset, limit: PARTITIONS_SHOWN };
      return await partitionStates(services.store, await services.runs.get(run), choice);
    });
  }

  async logs(request: LogRequest, signal: AbortSignal): Promise<LogView> {
    return await readLogs(request, this.flags, signal);
  }

  async results(workflow: string, run: string): Promise<ResultsView> {
    return await this.turns.take(workflow, (target) => firstResults(target, run));
  }

  async *download(workflow: string, run: string, format: "jsonl" | "csv"): AsyncGenerator<string | Uint8Array> {
    const opened = Promise.withResolvers<Target>();
    const finished = Promise.withResolvers<void>();
    const turn = this.turns.take(workflow, async (target) => {
      opened.resolve(target);
      await finished.promise;
    });
    turn.catch(opened.reject);
    try {
      yield* allResults(await opened.promise, run, format);
    } finally {
      finished.resolve();
      await turn.catch(() => {});
    }
  }

  async command(request: CommandRequest): Promise<string> {
    try {
      return await this.commands.run(wordsOf(request, this.nameOf(request.workflow).name));
    } finally {
      this.changed(request.workflow);
    }
  }

  async load(
    work: Omit<DeadLetterWork, "selects"> & { readonly see: (deadLetter: DeadLetter) => void },
  ): Promise<WorkResult> {
    return await this.turns.take(work.workflow, (target) => loadDeadLetters(target, work));
  }

  async check(workflow: string, deadLetters: readonly DeadLetter[], edits: ItemEdits): Promise<CheckResult> {
    return await checkEdits(this.asTarget(workflow), deadLetters, edits);
  }

  async redrive(
    work: DeadLetterWork & {
      readonly edits: ItemEdits;
      readonly dryRun: boolean;
      readonly ratePerSecond: number | undefined;
    },
  ): Promise<WorkResult> {
    const { workflow, dryRun } = work;
    let works = true;
    const result = await this.turns.take(workflow, async (target) => {
      works = target.running;
      return await redriveSelected(target, work);
    });
    if (dryRun) return result;
    this.changed(workflow);
    // Without an engine, nobody would process the items that are pending again.
    if (works || result.runs.length === 0) return result;
    this.#resumeAll(workflow, result.runs);
    return { ...result, message: `${result.message} An engine starts now, and processes them.` };
  }

  async purge(work: DeadLetterWork): Promise<WorkResult> {
    try {
      return await this.turns.take(work.workflow, (target) => purgeSelected(target, work));
    } finally {
      this.changed(work.workflow);
    }
  }

  async close(): Promise<void> {
    await this.commands.close();
  }

  /** Reads something small of a workflow. */
  protected async withTarget<Result>(workflow: string, work: (target: Target) => Promise<Result>): Promise<Result> {
    return await this.turns.take(workflow, work);
  }

  /** What loading a workflow's file needs of a target. */
  protected abstract asTarget(workflow: string): Pick<Target, "workflow" | "local">;

  /** Works on one run after the other. The last problem is shown. */
  #resumeAll(workflow: string, runs: readonly string[]): void {
    void (async () => {
      for (const run of runs) {
        await this.commands.run(["resume", run]).catch((error) => this.failed(toError(error).message));
        await this.commands.idle();
      }
      this.changed(workflow);
    })();
  }

  /** A command that nobody waits for has failed. */
  protected abstract failed(message: string): void;
}
