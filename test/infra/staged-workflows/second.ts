import { defineWorkflow, items } from "../../../shared/index.ts";

export default defineWorkflow({
  name: "second",
  source: items([1]),
  task: () => {},
  concurrency: 10,
  schedule: "rate(1 day)",
});
