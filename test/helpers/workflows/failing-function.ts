import { defineWorkflow, items } from "../../../shared/index.ts";

// As code that needs something which only the command's own process has.
if (process.env.AWS_LAMBDA_FUNCTION_NAME !== undefined) throw new Error("the key is missing");

export default defineWorkflow({
  name: "failing-function",
  source: items([1]),
  task: () => {},
  concurrency: 2,
  timeout: { seconds: 1 },
});
