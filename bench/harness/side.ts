import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Metrics } from "./fresh-process.ts";

/**
 * The main of a side's program: reads its input, measures, reports, ends.
 *
 * @param measure Gets a directory of its own, removed afterwards.
 */
export async function side<Input>(measure: (input: Input, directory: string) => Promise<Metrics>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  // A side does not outlive the command that asked for it.
  process.once("disconnect", () => process.exit(1));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }));
  try {
    const metrics = await measure(JSON.parse(process.argv[2] ?? "{}"), directory);
    await new Promise<void>((resolve, reject) => {
      if (process.send === undefined) {
        console.log(JSON.stringify(metrics));
        resolve();
      } else process.send(metrics, (error: Error | null) => (error === null ? resolve() : reject(error)));
    });
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  }
  process.exit();
}
