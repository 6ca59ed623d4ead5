import { defineWorkflow } from "../../../shared/index.ts";

export default defineWorkflow({
  name: "unreadable",
  source: { readPage: () => Promise.reject(new Error("no such table")) },
  task: () => {},
  concurrency: 2,
});
