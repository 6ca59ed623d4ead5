import { Command } from "commander";
import { openServices } from "../../local/engine.ts";
import { writeJson } from "../display.ts";
import { count, seconds, table } from "../format.ts";
import { openSession, type SessionOptions } from "../session.ts";

/** Runs that are listed at the most. */
const LISTED = 20;

export const statusCommand = new Command("status")
  .summary("list the runs of a workflow")
  .description("Lists the latest runs of a workflow with their counts, the newest first.")
  .argument("<workflow>", "a name in workflows/, or the path of a file")
  .option("--json", "one JSON object a run", false)
  .addHelpText("after", "\nExample:\n  $ npx sluice status cities")
  .action(async (name: string, options: SessionOptions) => {
    const session = await openSession(name, options);
    if (!session.state.exists) {
      session.display.say(`${name} has not been run here: npx sluice run ${name} starts it.`);
      return;
    }
    const services = await openServices({ ...session, workflow: session.loaded.workflow });
    try {
      const rows = [["run", "status", "produced", "succeeded", "dead", "retried", "owed", "wall time"]];
      for (const run of await services.runs.latest(LISTED)) {
        const counts = await services.runs.counts(run);
        const { produced, succeeded, dead, retried, owed } = counts;
        const end = run.completedAt === undefined ? undefined : Date.parse(run.completedAt);
        const wallSeconds = end === undefined ? undefined : (end - Date.parse(run.requestedAt)) / 1_000;
        const { id, status, requestedAt, completedAt, failure } = run;
        if (options.json)
          writeJson({ type: "run", run: id, status, requestedAt, completedAt, failure, wallSeconds, ...counts });
        const cells = [produced, succeeded, dead, retried, owed].map(count);
        rows.push([id, status, ...cells, wallSeconds === undefined ? "" : seconds(wallSeconds)]);
      }
      if (!options.json) console.log(table(rows, ""));
    } finally {
      await services.close();
    }
  });
