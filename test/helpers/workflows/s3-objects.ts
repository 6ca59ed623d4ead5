import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { defineWorkflow, s3Objects } from "../../../shared/index.ts";

/** A workflow that writes down its items. */
export default defineWorkflow({
  name: "s3-objects",
  source: s3Objects({ bucket: "exports", prefix: "lines/" }),
  task: (item) => {
    const text = JSON.stringify(item, (_, value) => (typeof value === "bigint" ? `${value}n` : value));
    appendFileSync(join(process.env.MARKERS ?? ".", "items.jsonl"), `${text}\n`);
  },
  concurrency: 4,
});
