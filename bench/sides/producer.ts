import { fileURLToPath } from "node:url";
import { runProducer } from "../harness/producer-run.ts";
import { side } from "../harness/side.ts";

interface Input {
  readonly items: number;
}

await side<Input>(async ({ items }, directory) => {
  const file = fileURLToPath(new URL("../workflows/noop.ts", import.meta.url));
  return await runProducer({ file, items, variables: { SLUICE_BENCH_ITEMS: String(items) }, directory });
});
