import { setTimeout } from "node:timers/promises";
import { toError } from "../../shared/base/errors.ts";
import { overviewOf } from "../../shared/ledger/run-overview.ts";
import type { LimitState } from "../../shared/limits/limit-state.ts";
import { heldNow } from "../../shared/observe/held-text.ts";
import { type RunView, runView } from "../../shared/observe/run-view.ts";
import type { Sample } from "../../shared/observe/sample.ts";
import { Pace } from "../../shared/observe/settling-rate.ts";
import type { DurationsView, Overview } from "../../ui/server/api.ts";
import type { SampleReader } from "../../ui/server/place.ts";
import type { TargetOptions } from "../options/target-options.ts";
import { awsService, type SendRequest } from "../targets/aws-service.ts";
import { latestAndActive, targets } from "../targets/find-run.ts";
import type { Target } from "../targets/target.ts";
import { newestFirst } from "./local-place.ts";
import { TargetTurns } from "./one-at-a-time.ts";
import { CommandRunner } from "./run-command.ts";
import { stackDurations } from "./stack-durations.ts";
import { TargetPlace } from "./target-place.ts";

const LISTED = 20;
/** The live view sends at most one request in this time. */
const REQUEST_MILLISECONDS = 1_000;
/** How many samples of a run this process keeps: half an hour or more. */
const MOST_SAMPLES = 2_000;
/** How often runs that have ended, and the dead letters, are read again. */
const LIST_MILLISECONDS = 30_000;

/** The durations have a point each minute. */
const DURATIONS_MILLISECONDS = 60_000;

interface Watched {
  readonly target: Target;
  readonly targets: AsyncGenerator<Target>;
  runs: readonly RunView[];
  deadLetters: number | null;
  listedAt: number;
  /** The limit row at the sample before. */
  before: { readonly at: number; readonly counted: LimitState["counted"] } | undefined;
  throttledAtStart: number | undefined;
}

/** Lets one request through in a second, in the order in which they ask. */
export class RequestPace {
  readonly #now: () => number;
  readonly #sleep: (milliseconds: number) => Promise<unknown>;
  #freeAt = 0;

  constructor(now: () => number = Date.now, sleep: (milliseconds: number) => Promise<unknown> = setTimeout) {
    this.#now = now;
    this.#sleep = sleep;
  }

  readonly wait = async (): Promise<void> => {
    const now = this.#now();
    const at = Math.max(now, this.#freeAt);
    this.#freeAt = at + REQUEST_MILLISECONDS;
    if (at > now) await this.#sleep(at - now);
  };
}

/** A deployed stack. The live view sends at most one request a second, and none while no page is open. */
export class StackPlace extends TargetPlace {
  readonly #options: TargetOptions;
  protected readonly flags: readonly string[];
  readonly #writable: boolean;
  readonly #watched = new Map<string, Watched>();
  readonly #samples = new Map<string, Sample[]>();
  readonly #rates = new Map<string, Pace>();
  readonly #pace = new RequestPace();
  readonly #durations = new Map<string, { readonly readAt: number; readonly view: Promise<DurationsView> }>();
  #cloudWatch: SendRequest | undefined;
  #stack: string | undefined;
  #problem: string | null = null;

  constructor(options: TargetOptions & { readonly write: boolean }) {
    const { write, ...target } = options;
    const flags = [
      ...(target.stack === true ? ["--stack"] : ["--stack", String(target.stack)]),
      ...(target.region === undefined ? [] : ["--region", target.region]),
      ...(target.profile === undefined ? [] : ["--profile", target.profile]),
    ];
    super(new TargetTurns(target), new CommandRunner({ flags, onEnd: () => this.#listAgain() }));
    this.#options = target;
    this.flags = flags;
    this.#writable = write;
  }

  get overview(): Overview {
    const all = [...this.#watched.values()];
    return {
      place: this.#stack === undefined ? "a deployed stack" : `stack ${this.#stack}`,
      flags: ` ${this.flags.join(" ")}`,
      isStack: true,
      writable: this.#writable,
      startable: all.map(({ target }) => target.workflow),
      workflows: all.map(({ target: { workflow, name }, deadLetters }) => ({
        workflow,
        name,
        running: true,
        deadLetters,
      })),
      runs: all
        .flatMap(({ runs }) => runs)
        .map((run) => ({ ...run, live: this.#samples.get(keyOf(run.workflow, run.run))?.at(-1) ?? null }))
        .sort(newestFirst),
      problem: this.#problem,
      isRead: all.length > 0 && all.every(({ listedAt }) => listedAt > 0),
    };
  }

  async refresh(): Promise<void> {
    if (this.#watched.size === 0) await this.#open();
    for (const watched of this.#watched.values()) await this.#look(watched);
  }

  samplesOf(workflow: string, run: string): SampleReader {
    let read = 0;
    return {
      read: async () => {
        const samples = this.#samples.get(keyOf(workflow, run)) ?? [];
        const more = samples.filter(({ at }) => at > read);
        read = more.at(-1)?.at ?? read;
        return more;
      },
    };
  }

  async durations(workflow: string, run: string): Promise<DurationsView> {
    const key = keyOf(workflow, run);
    const known = this.#durations.get(key);
    if (known !== undefined && Date.now() - known.readAt < DURATIONS_MILLISECONDS) return await known.view;
    // Several pages that ask at the same time cost one request.
    const view = this.#readDurations(workflow, run);
    this.#durations.set(key, { readAt: Date.now(), view });
    return await view;
  }

  async #readDurations(workflow: string, run: string): Promise<DurationsView> {
    try {
      return await this.withTarget(workflow, async ({ services, stack = "" }) => {
        const record = await services.runs.get(run);
        this.#cloudWatch ??= await awsService({ id: "CloudWatch", name: "monitoring" }, this.#options);
        await this.#pace.wait();
        return await stackDurations(this.#cloudWatch, { workflow, stack }, record, Date.now());
      });
    } catch (error) {
      const { name, message } = toError(error);
      return { periodSeconds: 60, points: [], problem: `CloudWatch does not return them: ${name}: ${message}` };
    }
  }

  /** The live view's own target, whose requests keep to the pace. */
  protected override async withTarget<Result>(
    workflow: string,
    work: (target: Target) => Promise<Result>,
  ): Promise<Result> {
    const watched = this.#watched.get(workflow);
    return watched === undefined ? await super.withTarget(workflow, work) : await work(watched.target);
  }

  override async close(): Promise<void> {
    await super.close();
    for (const { targets } of this.#watched.values()) await targets.return(undefined);
  }

  protected nameOf(workflow: string) {
    return { name: workflow, file: undefined };
  }

  protected asTarget(workflow: string): Pick<Target, "workflow" | "local"> {
    return { workflow, local: undefined };
  }

  protected changed(): void {
    this.#listAgain();
  }

  protected failed(message: string): void {
    this.#problem = message;
  }

  #listAgain(): void {
    for (const watched of this.#watched.values()) watched.listedAt = 0;
  }

  /** Opens the stack's workflows, and keeps them open. */
  async #open(): Promise<void> {
    const names: string[] = [];
    await this.#pace.wait();
    for await (const { workflow, stack } of targets(this.#options)) {
      names.push(workflow);
      this.#stack = stack;
    }
    for (const workflow of names) {
      await this.#pace.wait();
      const opened = targets({ ...this.#options, workflow, pace: this.#pace.wait });
      const { value: target } = await opened.next();
      if (target === undefined) continue;
      this.#watched.set(workflow, {
        target,
        targets: opened,
        runs: [],
        deadLetters: null,
        listedAt: 0,
        before: undefined,
        throttledAtStart: undefined,
      });
    }
  }

  async #look(watched: Watched): Promise<void> {
    const { services } = watched.target;
    if (Date.now() - watched.listedAt >= LIST_MILLISECONDS) {
      watched.listedAt = Date.now();
      const records = await latestAndActive(services.runs, LISTED);
      const runs: RunView[] = [];
      for (const run of records) runs.push(runView({ run, running: true }, await services.runs.counts(run)));
      watched.runs = runs;
      const { visible, inFlight, delayed } = await services.deadLetterQueue.depth();
      watched.deadLetters = visible + inFlight + delayed;
    }
    for (const known of watched.runs) {
      if (known.completedAt !== null && !(known.redriven && known.pending > 0)) continue;
      const run = await overviewOf(services.ledger.store, await services.runs.get(known.run));
      const limits = await services.limitRow.read();
      const counts = await services.runs.counts(run);
      const { state, concurrency } = limits;
      const fleet = { held: heldNow(state, concurrency), throttled: state.counted.throttled };
      const view = runView({ run, running: true }, counts, fleet);
      watched.runs = watched.runs.map((each) => (each.run === view.run ? view : each));
      this.#addSample(watched, view, limits);
    }
  }

  #addSample(
    watched: Watched,
    view: RunView,
    { state, concurrency }: { readonly state: LimitState; readonly concurrency: number | undefined },
  ): void {
    const { counted, limit } = state;
    const at = Date.now();
    const before = watched.before;
    watched.before = { at, counted };
    watched.throttledAtStart ??= counted.throttled;
    const key = keyOf(view.workflow, view.run);
    const pace = this.#rates.get(key) ?? new Pace();
    this.#rates.set(key, pace);
    const settled = view.succeeded + view.dead + view.cancelled;
    const rate = pace.rate(at, settled);
    const since = before === undefined ? undefined : at - before.at;
    const inFlightTime = before === undefined ? 0 : counted.inFlightMilliseconds - before.counted.inFlightMilliseconds;
    const successes = before === undefined ? 0 : counted.succeeded - before.counted.succeeded;
    const duration = before === undefined ? 0 : counted.succeededMilliseconds - before.counted.succeededMilliseconds;
    const total = view.sourceEnded ? view.produced : (view.limit ?? undefined);
    const samples = this.#samples.get(key) ?? [];
    this.#samples.set(key, samples);
    samples.push({
      at,
      status: view.status,
      produced: view.produced,
      total,
      succeeded: view.succeeded,
      dead: view.dead,
      retried: view.retried,
      throttled: counted.throttled - watched.throttledAtStart,
      inFlight: since === undefined ? 0 : Math.round(inFlightTime / since),
      rate: Math.round(rate * 10) / 10,
      secondsLeft: total === undefined || rate < 0.5 ? undefined : Math.max(0, total - settled) / rate,
      ceiling: concurrency,
      slots: limit.slots,
      held: heldNow(state, concurrency),
      mean: successes > 0 ? Math.round(duration / successes) : undefined,
    });
    if (samples.length > MOST_SAMPLES) samples.splice(0, samples.length - MOST_SAMPLES);
  }
}

const keyOf = (workflow: string, run: string): string => `${workflow}/${run}`;
