import { appendFileSync } from "node:fs";

// Loaded into each process of a command that is measured: tells its peak of resident memory, in KB, and its CPU time, in
// seconds, when it ends.
const { PEAK_MEMORY_FILE } = process.env;
if (PEAK_MEMORY_FILE !== undefined) {
  process.on("exit", () => {
    const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
    appendFileSync(PEAK_MEMORY_FILE, `${maxRSS} ${(userCPUTime + systemCPUTime) / 1e6}\n`);
  });
}
