import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { side } from "../harness/side.ts";

// Runs the side that is written in Python.
await side<unknown>(async (input) => {
  const program = fileURLToPath(new URL("./asyncio_queue.py", import.meta.url));
  return JSON.parse(execFileSync("python3", [program, JSON.stringify(input)], { encoding: "utf8" }));
});
