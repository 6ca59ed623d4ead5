import { fileURLToPath } from "node:url";
import { startBenchTable } from "../harness/bench-table.ts";
import { runProducer } from "../harness/producer-run.ts";
import { side } from "../harness/side.ts";

interface Input {
  readonly items: number;
}

await side<Input>(async ({ items }, directory) => {
  const postgres = await startBenchTable(directory, items);
  const file = fileURLToPath(new URL("../workflows/postgres.ts", import.meta.url));
  const measured = await runProducer({ file, items, variables: { SLUICE_BENCH_DATABASE: postgres.url }, directory });
  await postgres.stop();
  return measured;
});
