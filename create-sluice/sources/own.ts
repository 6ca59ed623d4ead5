import type { SourceKind } from "../source-kind.ts";

export const own: SourceKind = {
  id: "code",
  label: "my own code: a database, an SDK, anything else",
  defaultName: "numbers",
  write: ({ name }) => ({
    files: {
      "data/numbers.json": `${JSON.stringify(Array.from({ length: 12 }, (_, index) => ({ id: index + 1 })))}\n`,
      [`workflows/${name}.ts`]: `import { readFile } from "node:fs/promises";
import { defineWorkflow } from "sluice";
import * as z from "zod";

const PAGE = 5;

export default defineWorkflow({
  name: "${name}",
  source: {
    // Returns one page, and the cursor of the next page. The last page has no cursor. A run that is interrupted
    // continues from the last cursor, so the same cursor must always lead to the same page.
    async readPage(cursor) {
      const from = typeof cursor === "number" ? cursor : 0;
      const rows: { id: number }[] = JSON.parse(await readFile("data/numbers.json", "utf8"));
      const items = rows.slice(from, from + PAGE);
      return from + PAGE < rows.length ? { items, next: from + PAGE } : { items };
    },
    // The files that are deployed with the source.
    files: () => ["data/numbers.json"],
  },
  item: z.object({ id: z.int() }),
  // Runs once for each item, up to 10 at the same time. An error is tried again; PermanentError is not.
  task: async ({ id }) => {
    return { id, square: id * id };
  },
  results: true,
  concurrency: 10,
});
`,
    },
    test: `test("a number is squared", async () => {
  assert.deepEqual(await runTask(workflow, { id: 3 }), { id: 3, square: 9 });
});

test("all pages of the source are read", async () => {
  const run = await runWorkflow(workflow);
  assert.equal(run.succeeded, 12);
});
`,
  }),
};
