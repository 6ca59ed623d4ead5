import { cursorField, defineWorkflow, httpPages } from "../../../shared/index.ts";

/** The items of a paged API. */
export default defineWorkflow({
  name: "pages",
  source: httpPages<{ readonly id: number }>({
    url: () => process.env.API_URL ?? "",
    items: "items",
    next: cursorField({ path: "next", parameter: "from" }),
  }),
  task: ({ id }) => id,
  concurrency: 4,
  results: true,
  environment: ["API_URL"],
});
