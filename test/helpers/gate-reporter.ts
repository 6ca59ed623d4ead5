import type { Reporter } from "vitest/node";
import { GATE } from "../suites.ts";

/** Says at the end of `npm test` what `npm run gate` adds to it. */
export default class GateReporter implements Reporter {
  onTestRunEnd(): void {
    // A run of single files, in an editor or with `npx vitest`, is no gate.
    if (process.env.npm_lifecycle_event !== "test") return;
    const width = Math.max(...GATE.map(({ folder }) => folder.length));
    const lines = GATE.map(({ folder, adds }) => `  ${folder.padEnd(width)}  ${adds}`);
    process.on("exit", () => console.log(`npm run gate adds:\n${lines.join("\n")}\n`));
  }
}
