/**
 * Loaded into every process of a run before all other modules (`node --import`). The process's clock jumps when the file
 * of its clock changes. Timers do not jump, as on any machine whose clock is set.
 */
import { readFileSync } from "node:fs";
import type { Clock } from "./plan.ts";
import { CLOCK, clockFile, directoryOfRun } from "./settings.ts";

const POLL_MILLISECONDS = 50;

const file = clockFile(directoryOfRun(), (process.env[CLOCK] ?? "services") as Clock);
const trueNow = Date.now;
let shiftMilliseconds = 0;

function look(): void {
  try {
    shiftMilliseconds = Number(readFileSync(file, "utf8"));
  } catch {
    // The clock has not jumped yet.
  }
}

look();
setInterval(look, POLL_MILLISECONDS).unref();
Date.now = () => trueNow() + shiftMilliseconds;
