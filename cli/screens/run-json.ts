import type { Counts } from "../../shared/ledger/run-record.ts";
import type { RunAndEngine } from "../../shared/observe/run-status.ts";
import { runFacts } from "../../shared/observe/run-view.ts";

/** One run for machines: what `status --json` prints. */
export const runJson = (target: RunAndEngine, counts: Counts): object => ({ type: "run", ...runFacts(target, counts) });
