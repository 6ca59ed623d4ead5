import type { Row } from "../aws/table.ts";
import type { Json } from "../base/json.ts";
import { PARTITIONS_PER_GROUP } from "./keys.ts";
import { numberSet } from "./number-set.ts";
import type { Totals } from "./totals.ts";

/** What the row of a group of partitions says about a partition whose production has ended. */
export interface EndedPartition {
  readonly pages: number;
  readonly items: number;
}

/** What the row of a group of partitions says. All maps have the numbers of partitions as their keys. */
export interface GroupRow {
  /** How many partitions the group has. The number is known when the production of the run has ended. */
  readonly size: number | undefined;
  /** The partitions whose items are all settled. */
  readonly complete: ReadonlySet<number>;
  /** The partitions whose production has ended. */
  readonly ended: ReadonlyMap<number, EndedPartition>;
  /** The totals of the complete partitions that have dead items, cancelled items or retries. */
  readonly totals: ReadonlyMap<number, Totals>;
  /** Whether items of the group were redriven, so that `totals` may be out of date. */
  readonly redriven: boolean;
}

// The names of attributes in stored rows. They must not change. A partition is named by its place in the group.
const ENDED = "ended ";
const TOTALS = "totals ";

const placeOf = (partition: number): number => (partition - 1) % PARTITIONS_PER_GROUP;

/** The attribute that says how many pages and items an ended partition has. */
export const endedAttribute = (partition: number, ended: EndedPartition): Record<string, Json> => ({
  [`${ENDED}${placeOf(partition)}`]: { ...ended },
});

/** The attribute with the totals of a complete partition. */
export const totalsAttribute = (partition: number, totals: Totals): Record<string, Json> => ({
  [`${TOTALS}${placeOf(partition)}`]: { ...totals } as unknown as Json,
});

/** The entry of a complete partition in the set `complete` of its group's row. */
export const partitionEntry = placeOf;

export function readGroupRow(row: Row, group: number): GroupRow {
  const first = group * PARTITIONS_PER_GROUP + 1;
  const mapOf = <Content>(prefix: string): ReadonlyMap<number, Content> =>
    new Map(
      Object.entries(row).flatMap(([name, value]): [number, Content][] =>
        name.startsWith(prefix) ? [[first + Number(name.slice(prefix.length)), value as unknown as Content]] : [],
      ),
    );
  return {
    size: row.size as number | undefined,
    complete: new Set([...numberSet(row.complete)].map((place) => first + place)),
    ended: mapOf(ENDED),
    totals: mapOf(TOTALS),
    redriven: row.redriven === true,
  };
}
