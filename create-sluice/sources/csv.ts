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

function own(name: string, { content, columns, row, options }: OwnCsv): Template {
  const file = `data/${name}.csv`;
  const settings = Object.entries({ format: "csv", ...options }).map(
    ([key, value]) => `${key}: ${JSON.stringify(value)}`,
  );
  const fields = columns.map((column) => `    ${JSON.stringify(column)}: z.string(),\n`).join("");
  const values = columns.map(
    (column, index) => `    ${JSON.stringify(column)}: ${JSON.stringify(row?.[index] ?? "1")},\n`,
  );
  return {
    files: {
      [file]: content,
      [`workflows/${name}.ts`]: `import { defineWorkflow, fileLines } from "sluice";
import * as z from "zod";

export default defineWorkflow({
  name: "${name}",
  source: fileLines("${file}", { ${settings.join(", ")} }),
  // All values of a CSV file are strings. z.coerce.number() turns one into a number.
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
    // The test must pass after the user has changed the task or the types of the columns. So it has a real row, and
    // does not say what the task returns.
    test: `test("the first row of the file succeeds", async () => {
  const row = {
${values.join("")}  };
  const run = await runWorkflow(workflow, { items: [row] });
  assert.deepEqual(run.failures, []);
  // run.results has what the task returned. Compare it here with what you expect.
});
`,
  };
}
