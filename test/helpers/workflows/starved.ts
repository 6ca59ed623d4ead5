import childProcess from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { defineWorkflow, items } from "../../../shared/index.ts";

/** Whether something happens for the first time, in whatever process. */
function isFirst(what: string): boolean {
  const marker = join(process.env.MARKERS ?? ".", what);
  if (existsSync(marker)) return false;
  writeFileSync(marker, "");
  return true;
}

// The second environment can start no process, as one whose tasks left all its file descriptors open. So can the third,
// which has no memory left.
const { spawn } = childProcess;
const isConsumer =
  process.env.AWS_LAMBDA_FUNCTION_NAME === "starved-consumer" && process.env.SLUICE_ISOLATED === undefined;
if (isConsumer && !isFirst("first environment")) {
  const code = isFirst("second environment") ? "EMFILE" : isFirst("third environment") ? "ENOMEM" : undefined;
  if (code !== undefined) {
    childProcess.spawn = (() => {
      throw Object.assign(new Error(`spawn ${code}`), { code });
    }) as typeof spawn;
    syncBuiltinESMExports();
  }
}

/** Once an item ends its process. The environments that follow cannot make the isolated attempts of its neighbours. */
export default defineWorkflow({
  name: "starved",
  source: items(["exits once", ...Array.from({ length: 7 }, (_, id) => `good ${id}`)]),
  task(item) {
    if (item === "exits once" && isFirst("exit")) process.exit(3);
  },
  concurrency: 8,
  tasksPerEnvironment: 4,
  timeout: { milliseconds: 500 },
});
