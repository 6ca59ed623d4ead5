import type { ObjectStore } from "../aws/object-store.ts";
import { openS3 } from "../aws/open-s3.ts";
import type { LedgerStore } from "../aws/table.ts";
import { ConfigurationError, SluiceError } from "../base/errors.ts";
import { show } from "../base/options.ts";
import type { RunSummary } from "../definition/on-complete.ts";
import { objectStoreOfUrl } from "./object-store-of-url.ts";
import { openResultSet, type ResultSet } from "./read-results.ts";

/** The result of one item. */
export interface ResultRecord<Result = unknown> {
  /** The id of the item: the same at each attempt, and in the dead letter if the item failed before. */
  readonly id: string;
  /** What the task returned, as JSON keeps it: a `Date` is a text, and `undefined` is `null`. */
  readonly result: Result;
  /** How many attempts the item had. Present if `results.include` has `attempts`. */
  readonly attempts?: number;
  /** When the attempt ended, in ISO 8601. Present if `results.include` has `finishedAt`. */
  readonly finishedAt?: string;
  /** The item. Present if `results.include` has `item`. */
  readonly item?: unknown;
}

/** The results of a run, for a script. */
export interface ResultsLocation {
  /**
   * Where the results of the workflow are: the output `ResultsUrl` of its stack, or the `url` that
   * `npx sluice results --json` prints.
   *
   * @example "s3://my-bucket/cities", "file:///home/me/project/.sluice/cities/results"
   */
  readonly url: string;
  /** The id of the run. */
  readonly run: string;
}

/** How to open the results of the runs whose summary was passed to `onComplete`. */
const OFFERED = new WeakMap<object, () => Promise<ResultSet>>();

/** Lets `readResults` read the results of a run, given the summary. */
export function offerResults(summary: RunSummary, open: () => Promise<ResultSet>): void {
  OFFERED.set(summary, open);
}

/**
 * Reads the results of a run: one for each item that succeeded, in the order of the source. It reads in bounded memory, so
 * a run can have any number of results.
 *
 * - In `onComplete`, pass the summary that it receives. `onComplete` runs before the last compaction. So the results are read
 *   from the ledger and from the objects that the consumers wrote, which takes longer than reading a manifest: about a
 *   request for each 25 results.
 * - In a script, pass the URL and the run. The script needs the latest manifest, which the producer writes within a minute
 *   after the end of the run. The script uses the credentials that the AWS SDK finds.
 *
 * @typeParam Result What the task returns. `ResultOf<typeof workflow>` names this type.
 * @throws {ConfigurationError} In `onComplete`: the workflow keeps no results.
 * @throws {SluiceError} `UNKNOWN_RUN`: there is no manifest of the run. `RESULTS_DAMAGED`: a part does not have its checksum.
 *   `RESULTS_INCOMPLETE`: results were deleted; all others were yielded before. `OBJECT_STORE`: the store refused a request.
 *
 * @example
 * ```ts
 * import { readResults, type ResultOf } from "sluice";
 * import type cities from "./workflows/cities.ts";
 *
 * const location = { url: "s3://my-bucket/cities", run: "20261122-081530-3fa9" };
 * for await (const { id, result } of readResults<ResultOf<typeof cities>>(location)) console.log(id, result.solarNoon);
 * ```
 */
export async function* readResults<Result = unknown>(
  run: RunSummary | ResultsLocation,
): AsyncGenerator<ResultRecord<Result>, void, undefined> {
  const set = await openSet(run);
  for await (const { lines } of set.lines()) {
    const text = Buffer.from(lines.buffer, lines.byteOffset, lines.byteLength).toString();
    for (const line of text.split("\n")) if (line !== "") yield JSON.parse(line) as ResultRecord<Result>;
  }
}

async function openSet(run: RunSummary | ResultsLocation): Promise<ResultSet> {
  const offered = OFFERED.get(run);
  if (offered !== undefined) return await offered();
  if (!("url" in run)) {
    throw new ConfigurationError(
      `readResults cannot read the results of run ${show(run.run)}: pass the summary that onComplete received, and add ` +
        "results: true to the workflow. Or pass { url, run }",
    );
  }
  const store = await objectStoreOfUrl(run.url, openS3);
  return await openManifest(store, run.run);
}

/** Opens the latest manifest of a run without the ledger. */
async function openManifest(store: ObjectStore, run: string): Promise<ResultSet> {
  const runs = {
    find: async () => undefined,
    counts: () => Promise.reject(new Error("a manifest is read without the ledger")),
  };
  try {
    return await openResultSet({ store, ledgerStore: undefined as unknown as LedgerStore, runs }, run);
  } catch (error) {
    if (!(error instanceof SluiceError) || error.code !== "UNKNOWN_RUN") throw error;
    throw new SluiceError(
      "UNKNOWN_RUN",
      `there is no manifest of run ${run} in ${store.url}: check the URL and the run. While a run works, ` +
        "npx sluice results reads its results so far",
      { cause: error, ids: { run } },
    );
  }
}
