import type { ObjectStore } from "../aws/object-store.ts";
import type { Manifest } from "./manifest.ts";

/** Some rows of a result set. */
export interface ResultLines {
  /** Whole lines, each with its newline. */
  readonly lines: Uint8Array;
  readonly rows: number;
}

/** The results of a run at one moment. */
export interface ResultSet {
  readonly store: ObjectStore;
  /** The latest manifest. Absent while the run works, and until its compaction has ended. */
  readonly manifest?: Manifest | undefined;
  /** How many rows `lines` will yield, as far as it is known before. */
  readonly expectedRows: number;
  /**
   * Reads the rows as JSONL, in the order of the source, in bounded memory. It can be called several times.
   *
   * @throws {SluiceError} `RESULTS_INCOMPLETE`: a row of the ledger or an object is missing. `RESULTS_DAMAGED`: an object
   *   does not have its checksum.
   */
  lines(): AsyncIterable<ResultLines>;
}
