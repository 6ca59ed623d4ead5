import { defineWorkflow, items } from "../../../shared/index.ts";

export default defineWorkflow({
  name: "first",
  source: items([1]),
  task: () => {},
  concurrency: 10,
  schedule: "rate(1 day)",
});
