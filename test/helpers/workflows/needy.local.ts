import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Fails when the command is interrupted, as all that starts a process does on a terminal: Ctrl-C ends that, too. */
export default async function startLocal(): Promise<never> {
  writeFileSync(join(process.env.MARKERS ?? ".", "starting"), "");
  await once(process, "SIGINT");
  throw new Error("it was ended as it started");
}
