import type { AddressFields } from "../../shared/messages/item-address.ts";
import type { Sizes } from "./sizes.ts";

/**
 * What the task of an item does. `good`: it succeeds. `bad`: it throws a `PermanentError`. `flaky`: its first attempt
 * fails. `fickle`: it succeeds at the first delivery, and fails permanently at later ones. `patient`: it asks for a wait
 * once. `late`: it asks for a longer wait than is allowed. An `unsendable` item cannot be written as JSON.
 */
export type Kind = "good" | "bad" | "flaky" | "fickle" | "patient" | "late" | "unsendable";

/** What is explored: every order of every step of these actors. */
export interface Scope {
  readonly name: string;
  /** The items of each page of the source. */
  readonly pages: readonly (readonly Kind[])[];
  /**
   * The items of each page of each partition of the source. Then `pages` is empty, and each of the `producers` is a lane of
   * the run.
   */
  readonly partitions?: readonly (readonly (readonly Kind[])[])[];
  readonly consumers: number;
  readonly producers: number;
  /**
   * How many accidents one path may have: a control message is delivered once too often, or its producer or the person
   * dies. Accidents of items are not limited: their messages may be delivered any number of times, one after another or at
   * once, and their consumers may die any number of times.
   */
  readonly spares: number;
  /** Whether the exploration follows the run's end up to `onComplete`. Otherwise it stops at the announcement. */
  readonly completion: boolean;
  /** How many dead items the run tolerates: `toleratedFailures.count`. Default: any number. */
  readonly tolerated?: number;
  /** Whether the run keeps results. Then `completion` must be true, because the announcement begins the compaction. */
  readonly results?: true;
  /** How large blocks and groups of blocks are, instead of 1,000 pages and 1,000 blocks. */
  readonly sizes?: Sizes;
  /** Whether a person may cancel the run at any moment. */
  readonly cancel: boolean;
}

/** A page of the source, by its place in the ledger. Partition 0: the source has no partitions. */
export interface PlacedPage {
  readonly partition: number;
  readonly page: number;
  readonly kinds: readonly Kind[];
}

/** All pages of the source, in their order. */
export const pagesOf = ({ pages, partitions }: Scope): readonly PlacedPage[] =>
  (partitions ?? [pages]).flatMap((all, place) =>
    all.map((kinds, page) => ({ partition: partitions === undefined ? 0 : place + 1, page, kinds })),
  );

/** Names an item in the facts of an exploration: the id of the item without its run. */
export const nameOf = ({ partition = 0, page, index }: Pick<AddressFields, "partition" | "page" | "index">): string =>
  `${partition === 0 ? "" : `p${partition}/`}${page}/${index}`;

export const RUN = "run";
export const WORKFLOW = "explored";
