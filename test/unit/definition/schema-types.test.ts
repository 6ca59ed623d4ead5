import { expect, test } from "vitest";
import * as z from "zod";
import { defineWorkflow, fileLines } from "../../../shared/index.ts";

test("a schema with z.coerce fits the rows of a CSV file, and the task receives its output type", () => {
  const item = z.object({ id: z.coerce.number(), name: z.string() });
  const workflow = defineWorkflow({
    name: "people",
    source: fileLines("people.csv", { format: "csv" }),
    item,
    // `npm run check` fails if `id` is not a number here, or if the schema does not fit the source.
    task: ({ id, name }) => `${id.toFixed(0)} ${name.trim()}`,
    concurrency: 2,
  });
  expect(workflow.item).toBe(item);
});
