import type { OwnCsv, SourceKind, Template, TemplateOptions } from "../source-kind.ts";

const SAMPLE = `id,name,email
1,Ada Lovelace,ada@example.com
2,Barbara Liskov,barbara@example.com
3,Grace Hopper,grace@example.com
4,Hedy Lamarr,hedy@example.com
5,Katherine Johnson,katherine@example.com
`;

export const csv: SourceKind = {
  id: "csv",
  label: "a CSV file",
  defaultName: "customers",
  write: (options) => (options.csv === undefined ? sample(options) : own(options.name, options.csv)),
};

function sample({ name }: TemplateOptions): Template {
  const file = `data/${name}.csv`;
  return {
    files: {
      [file]: SAMPLE,
      [`workflows/${name}.ts`]: `import { defineWorkflow, fileLines } from "sluice";
import * as z from "zod";

export default defineWorkflow({
  name: "${name}",
  source: fileLines("${file}", { format: "csv" }),
  // All values of a CSV file are strings. The schema checks and converts them.
  item: z.object({ id: z.coerce.number(), name: z.string(), email: z.email() }),
  // Runs once for each row, up to 10 at the same time. An error is tried again; PermanentError is not.
  task: async (row, { logger }) => {
    logger.info("greeted", { id: row.id });
    return { id: row.id, greeting: \`Hello, \${row.name}!\` };
  },
  results: { format: "csv" },
  concurrency: 10,
});
`,
    },
    test: `test("a row becomes a greeting", async () => {
  const result = await runTask(workflow, { id: "1", name: "Ada", email: "ada@example.com" });
  assert.deepEqual(result, { id: 1, greeting: "Hello, Ada!" });
});

test("a row without an email address is a dead letter", async () => {
  const run = await runWorkflow(workflow, { items: [{ id: "1", name: "Ada", email: "none" }] });
  assert.equal(run.dead, 1);
});
`,
  };
}

function own(name: string, { content, columns, delimiter }: OwnCsv): Template {
  const file = `data/${name}.csv`;
  const format = delimiter === "," ? '{ format: "csv" }' : `{ format: "csv", delimiter: ${JSON.stringify(delimiter)} }`;
  const fields = columns.map((column) => `    ${JSON.stringify(column)}: z.string(),\n`).join("");
  const row = columns.map((column) => `    ${JSON.stringify(column)}: "1",\n`).join("");
  return {
    files: {
      [file]: content,
      [`workflows/${name}.ts`]: `import { defineWorkflow, fileLines } from "sluice";
import * as z from "zod";

export default defineWorkflow({
  name: "${name}",
  source: fileLines("${file}", ${format}),
  // All values of a CSV file are strings. z.coerce.number() makes a number of one.
  item: z.object({
${fields}  }),
  // Runs once for each row, up to 10 at the same time. An error is tried again; PermanentError is not.
  task: async (row) => {
    return { ...row };
  },
  results: { format: "csv" },
  concurrency: 10,
});
`,
    },
    test: `test("a row is returned", async () => {
  const row = {
${row}  };
  assert.deepEqual(await runTask(workflow, row), row);
});
`,
  };
}
