import { checkResponse, defineWorkflow, items } from "../../shared/index.ts";

const { SLUICE_BENCH_URL = "", SLUICE_BENCH_ITEMS = "100", SLUICE_BENCH_RATE } = process.env;

/** Each task asks a service that bears a limited number of requests. */
export default defineWorkflow({
  name: "limited",
  source: items(Array.from({ length: Number(SLUICE_BENCH_ITEMS) }, (_, number) => number)),
  task: async (item, { signal }) => {
    const response = await fetch(`${SLUICE_BENCH_URL}/items/${item}`, { signal });
    await response.text();
    checkResponse(response);
  },
  environment: ["SLUICE_BENCH_URL"],
  concurrency: 50,
  tasksPerEnvironment: 10,
  timeout: { seconds: 10 },
  ...(SLUICE_BENCH_RATE !== undefined && { rateLimit: { perSecond: Number(SLUICE_BENCH_RATE) } }),
});
