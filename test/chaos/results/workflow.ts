import { defineWorkflow, items, PermanentError } from "../../../shared/index.ts";

export const WORKFLOW = "killed-results";

/** Read in the engine's process and in the functions. */
const ITEMS = Number(process.env.SLUICE_KILLED_ITEMS ?? 2_000);
const REDRIVES = Number(process.env.SLUICE_KILLED_REDRIVES ?? 10);

/** Whether an item fails until it is redriven. These items are spread evenly over the source. */
export const failsFirst = (n: number): boolean => n % Math.floor(ITEMS / REDRIVES) === 3;

/** Whether an item fails in every generation. */
export const failsAlways = (n: number): boolean => n % Math.floor(ITEMS / 5) === 11;

function* numbers() {
  for (let n = 0; n < ITEMS; n++) yield { n };
}

/** Numbers, of which some fail. The result says of which item it is, and in which attempt it was made. */
export default defineWorkflow({
  name: WORKFLOW,
  source: items(numbers),
  results: { format: "csv", include: ["attempts"] },
  task: async ({ n }, { redrives, attempt }) => {
    if (failsAlways(n) || (failsFirst(n) && redrives === 0)) throw new PermanentError(`item ${n} fails`);
    return { n, redrives, attempt, text: n % 7 === 0 ? '=1+1, "quoted"\n' : "plain" };
  },
  concurrency: 40,
  tasksPerEnvironment: 20,
  timeout: { seconds: 30 },
});
