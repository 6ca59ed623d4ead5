import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import * as z from "zod";
import { defineWorkflow, items, PermanentError } from "../../../shared/index.ts";

/** What must not run, and must not look like something else, wherever it is shown. */
export const HOSTILE = {
  script: "<script>globalThis.hacked = true</script>",
  image: '"><img src=x onerror="globalThis.hacked = true">',
  control: "\u001b[31mred\u001b[0m \u202Egnirts",
  long: "x".repeat(980_000),
};

const ADDRESSES = [
  ...Array.from({ length: 60 }, (_, id) => ({ id, country: id % 10 === 3 ? "XX" : "CH", note: `address ${id}` })),
  ...Object.values(HOSTILE).map((note, index) => ({ id: 60 + index, country: "YY", note })),
];

/**
 * Addresses of the country XX, and hostile ones of the country YY, die. An edit of their country repairs them. The first 20
 * items are settled at once, and the others wait until a file `open` is there.
 */
export default defineWorkflow({
  name: "repairable",
  source: items(ADDRESSES),
  item: z.object({ id: z.int(), country: z.string().length(2), note: z.string() }),
  async task({ id, country, note }, { signal }) {
    while (id >= 20 && !existsSync(join(process.env.MARKERS ?? ".", "open")))
      await setTimeout(20, undefined, { signal });
    if (country === "XX") throw new PermanentError(`there is no country ${country}`);
    if (country === "YY") throw new PermanentError(`refused: ${note.slice(0, 60)}`);
    return { id, country };
  },
  results: true,
  concurrency: 4,
  tasksPerEnvironment: 2,
  timeout: { minutes: 5 },
});
