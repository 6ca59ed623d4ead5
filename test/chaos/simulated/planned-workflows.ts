import { setTimeout } from "node:timers/promises";
import type { Workflow } from "../../../shared/definition/workflow.ts";
import { defineWorkflow, items } from "../../../shared/index.ts";
import cities from "../../../workflows/cities.ts";
import seconds from "../../../workflows/seconds.ts";
import unreliable from "../../../workflows/unreliable.ts";

/** A workflow to plan and to run, whose tasks all succeed and take a known time. */
export interface PlannedWorkflow {
  readonly name: string;
  readonly workflow: Workflow;
  readonly taskSeconds: number;
  readonly spread: number;
  readonly order: "ordered" | "random";
  /** Why the plan is known to have too few requests. Absent: requests and time are compared. */
  readonly tooFewRequests?: string | undefined;
}

type Unplanned = Omit<PlannedWorkflow, "order" | "workflow"> & { readonly workflow: object };

/** A workflow whose tasks only wait: all durations between `1 - spread` and `1 + spread` of `taskSeconds` are equally frequent. */
function waiting(workflow: object, taskSeconds: number, spread: number): Workflow {
  let tasks = 0;
  const task = async () => {
    // Multiples of the golden ratio are spread evenly.
    const share = (tasks++ * 0.618_033_988_75) % 1;
    return await setTimeout(1_000 * taskSeconds * (1 - spread + 2 * spread * share), { waited: true });
  };
  return { ...(workflow as Workflow), task };
}

const numbers = (count: number) => Array.from({ length: count }, (_, number) => number);
/** As many as the service of the workflow has. */
const CITIES = items(numbers(5_000).map((id) => ({ id: id + 1, name: `city ${id}`, country: "NL" })));
const PAGE_ITEMS = 100;

/** A source of 20 partitions of 400 items, in pages of 100. */
const partitioned = (producers: number, pageMilliseconds: number) =>
  defineWorkflow({
    name: "partitioned",
    source: {
      partitions: () => numbers(20).map((id) => ({ id: String(id) })),
      readPage: async (cursor: number | undefined) => {
        await setTimeout(pageMilliseconds);
        const page = cursor ?? 0;
        return { items: numbers(PAGE_ITEMS), next: page < 3 ? page + 1 : undefined };
      },
      size: () => ({ items: 8_000, isExact: true }),
    },
    task: () => {},
    producers,
    concurrency: 50,
    tasksPerEnvironment: 10,
    timeout: { seconds: 10 },
  });

const SLOW = "While the source leaves the queue empty, consumers ask the queue more often than the plan says.";

const BY_TASKS: readonly Unplanned[] = [
  { name: "seconds", workflow: seconds, taskSeconds: 1, spread: 0 },
  { name: "cities", workflow: { ...cities, source: CITIES }, taskSeconds: 0.3, spread: 0.5 },
  {
    ...{ name: "unreliable", workflow: unreliable, taskSeconds: 0.5, spread: 0.5 },
    tooFewRequests:
      "At its start and at its end, a run makes about 15 requests for few messages, which count in a run of 209 items.",
  },
  { name: "20 partitions, 4 lanes", workflow: partitioned(4, 20), taskSeconds: 0.25, spread: 0.5 },
];
/** The source decides how long these take. */
const BY_SOURCE: readonly Unplanned[] = [
  {
    name: "slow source, one lane",
    workflow: partitioned(1, 1_000),
    taskSeconds: 0.25,
    spread: 0.5,
    tooFewRequests: SLOW,
  },
  {
    name: "slow source, 4 lanes",
    workflow: partitioned(4, 4_000),
    taskSeconds: 0.25,
    spread: 0.5,
    tooFewRequests: SLOW,
  },
];

const planned = ({ workflow, ...each }: Unplanned, order: PlannedWorkflow["order"]): PlannedWorkflow => ({
  ...each,
  order,
  workflow: waiting(workflow, each.taskSeconds, each.spread),
});

export const PLANNED: readonly PlannedWorkflow[] = [
  ...(["ordered", "random"] as const).flatMap((order) => BY_TASKS.map((each) => planned(each, order))),
  ...BY_SOURCE.map((each) => planned(each, "ordered")),
];
