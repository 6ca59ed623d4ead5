import { setTimeout } from "node:timers/promises";
import type { Workflow } from "../../../shared/definition/workflow.ts";
import { defineWorkflow, items } from "../../../shared/index.ts";
import cities from "../../../workflows/cities.ts";
import seconds from "../../../workflows/seconds.ts";
import unreliable from "../../../workflows/unreliable.ts";

/** A workflow to plan and to run, whose tasks take a known time. */
export interface PlannedWorkflow {
  readonly name: string;
  readonly workflow: Workflow;
  readonly taskSeconds: number;
  readonly spread: number;
  /** The share of the attempts that fail. */
  readonly failures: number;
  readonly order: "ordered" | "random";
}

type Unplanned = Omit<PlannedWorkflow, "order" | "workflow" | "spread" | "failures"> & {
  readonly workflow: object;
  readonly spread?: number;
  readonly failures?: number;
};

/** Multiples of the golden ratio, and of its counterpart in two dimensions, are spread evenly. */
const EVENLY = { durations: 0.618_033_988_75, failures: 0.754_877_666_25 } as const;

/**
 * A workflow whose tasks only wait: all durations between `1 - spread` and `1 + spread` of `taskSeconds` are equally frequent. The
 * share `failures` of the attempts fails at its end.
 */
function waiting(workflow: object, { taskSeconds, spread, failures }: Omit<PlannedWorkflow, "workflow">): Workflow {
  let attempts = 0;
  const task = async () => {
    const attempt = attempts++;
    const share = (attempt * EVENLY.durations) % 1;
    await setTimeout(1_000 * taskSeconds * (1 - spread + 2 * spread * share));
    if ((attempt * EVENLY.failures) % 1 < failures) throw new Error("the service does not answer");
    return { waited: true };
  };
  return { ...(workflow as Workflow), task };
}

const numbers = (count: number) => Array.from({ length: count }, (_, number) => number);
/** As many as the service of the workflow has. */
const CITIES = items(numbers(5_000).map((id) => ({ id: id + 1, name: `city ${id}`, country: "NL" })));
const PAGE_ITEMS = 100;
const FLEET = { concurrency: 50, tasksPerEnvironment: 10, timeout: { seconds: 10 } } as const;

/** A source of 20 partitions of the same number of items, in pages of 100. */
const partitioned = (producers: number, pageMilliseconds: number, pagesOfPartition = 4) =>
  defineWorkflow({
    name: "partitioned",
    source: {
      partitions: () => numbers(20).map((id) => ({ id: String(id) })),
      readPage: async (cursor: number | undefined) => {
        await setTimeout(pageMilliseconds);
        const page = cursor ?? 0;
        return { items: numbers(PAGE_ITEMS), next: page < pagesOfPartition - 1 ? page + 1 : undefined };
      },
      size: () => ({ items: 20 * pagesOfPartition * PAGE_ITEMS, isExact: true }),
    },
    task: () => {},
    producers,
    ...FLEET,
  });

/** One part, in pages of 100. */
const whole = (
  pageMilliseconds: number,
  { pages = 40, ...more }: { readonly pages?: number; readonly retry?: object } = {},
) =>
  defineWorkflow({
    name: "whole",
    source: {
      readPage: async (cursor: number | undefined) => {
        await setTimeout(pageMilliseconds);
        const page = cursor ?? 0;
        return { items: numbers(PAGE_ITEMS), next: page < pages - 1 ? page + 1 : undefined };
      },
      size: () => ({ items: pages * PAGE_ITEMS, isExact: true }),
    },
    task: () => {},
    ...FLEET,
    ...more,
  });

/** The tasks decide how long these take. */
const BY_TASKS: readonly Unplanned[] = [
  { name: "seconds", workflow: seconds, taskSeconds: 1, spread: 0 },
  { name: "cities", workflow: { ...cities, source: CITIES }, taskSeconds: 0.3 },
  { name: "unreliable", workflow: unreliable, taskSeconds: 0.5 },
  { name: "20 partitions, 4 lanes", workflow: partitioned(4, 20), taskSeconds: 0.25 },
  { name: "20 small partitions, 4 lanes", workflow: partitioned(4, 20, 2), taskSeconds: 0.25 },
  { name: "a fifth of the attempts fails", workflow: whole(20), taskSeconds: 0.25, failures: 0.2 },
  {
    ...{ name: "two thirds of the attempts fail", taskSeconds: 0.25, failures: 0.67 },
    workflow: whole(20, { pages: 30, retry: { attempts: 3, backoff: { base: { milliseconds: 250 } } } }),
  },
];
/** The source decides how long these take. */
const BY_SOURCE: readonly Unplanned[] = [
  { name: "slow source, one lane", workflow: partitioned(1, 1_000), taskSeconds: 0.25 },
  { name: "slow source, 4 lanes", workflow: partitioned(4, 4_000), taskSeconds: 0.25 },
  { name: "a source a little slower than the tasks", workflow: whole(600), taskSeconds: 0.25 },
  { name: "a source slower than any message waits", workflow: whole(6_000), taskSeconds: 0.25 },
];

const planned = (unplanned: Unplanned, order: PlannedWorkflow["order"]): PlannedWorkflow => {
  const each = { spread: 0.5, failures: 0, ...unplanned, order };
  return { ...each, workflow: waiting(each.workflow, each) };
};

export const PLANNED: readonly PlannedWorkflow[] = [
  ...(["ordered", "random"] as const).flatMap((order) => BY_TASKS.map((each) => planned(each, order))),
  ...BY_SOURCE.map((each) => planned(each, "ordered")),
];
