import { appendFileSync } from "node:fs";

// Loaded into each process of a command that is measured: tells its peak of resident memory, in KB, when it ends.
const { PEAK_MEMORY_FILE } = process.env;
if (PEAK_MEMORY_FILE !== undefined) {
  process.on("exit", () => appendFileSync(PEAK_MEMORY_FILE, `${process.resourceUsage().maxRSS}\n`));
}
