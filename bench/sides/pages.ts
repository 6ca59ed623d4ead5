import { fileURLToPath } from "node:url";
import { runProducer } from "../harness/producer-run.ts";
import { side } from "../harness/side.ts";

interface Input {
  readonly items: number;
  readonly partitions: number;
  readonly pageMilliseconds?: number;
}

await side<Input>(async ({ items, partitions, pageMilliseconds = 0 }, directory) => {
  const file = fileURLToPath(new URL("../workflows/pages.ts", import.meta.url));
  const variables = {
    SLUICE_BENCH_ITEMS: String(items),
    SLUICE_BENCH_PARTITIONS: String(partitions),
    SLUICE_BENCH_PAGE_MILLISECONDS: String(pageMilliseconds),
  };
  return await runProducer({ file, items, variables, directory });
});
