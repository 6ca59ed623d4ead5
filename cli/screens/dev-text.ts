import type { EndedRun } from "../dev/protocol.ts";
import { count, plural, seconds, style } from "./format.ts";
import { oneLine } from "./printable.ts";

/** How a run ended, as a sentence. */
export function endedText(ended: EndedRun): string {
  const { run, status, succeeded, dead, cancelled, failure } = ended;
  const took = seconds(ended.seconds);
  const because = failure === undefined ? "" : `: ${oneLine(failure)}`;
  const counts = [
    `${count(succeeded)} succeeded`,
    `${count(dead)} dead`,
    ...(cancelled > 0 ? [`${count(cancelled)} cancelled`] : []),
  ].join(", ");
  const why = dead > 0 ? ". See why with: npx sluice dlq" : "";
  if (status === "skipped") return style("yellow", `Run ${run} was skipped${because}`, process.stderr);
  if (status === "cancelled") return style("yellow", `Run ${run} was cancelled: ${counts}`, process.stderr);
  if (status === "failed") {
    return `${style("red", `Run ${run} failed${because}`, process.stderr)} (${counts})${why}`;
  }
  const head = `Run ${run} completed in ${took}: `;
  if (dead > 0) return `${style("yellow", head + counts, process.stderr)}${why}`;
  const end = `${head}${ended.produced === 0 ? "the source has no items" : `${plural(succeeded, "item")} succeeded`}`;
  const failed = failure === undefined ? "" : `. onComplete failed${because}`;
  return style(failure === undefined ? "green" : "yellow", end + failed, process.stderr);
}
