import { chaosWorkflow } from "./chaos-workflow.ts";
import { type Entry, note } from "./journal.ts";
import { directoryOfRun, readPlan } from "./settings.ts";

const directory = directoryOfRun();
const write = (entry: Entry) => note(directory, entry);

write({ type: "process", role: roleOf(process.env.AWS_LAMBDA_FUNCTION_NAME) });
process.on("exit", () => write({ type: "exit" }));

function roleOf(functionName: string | undefined) {
  if (functionName === undefined) return "engine";
  if (functionName.endsWith("producer")) return "producer";
  return process.env.SLUICE_ISOLATED === undefined ? "consumer" : "isolated";
}

/** The workflow of a run, in each of its processes. */
export default chaosWorkflow(readPlan(directory), {
  write,
  exit: () => process.exit(1),
  kill: async () => {
    process.kill(process.pid, "SIGKILL");
    return await new Promise(() => {});
  },
  spin: () => {
    for (;;);
  },
});
