import { itemId } from "../messages/item-address.ts";

/** The row of one result in a raw object. */
export interface ResultRow {
  readonly page: number;
  readonly epoch: number;
  readonly index: number;
  /** The redrive generation in which the item succeeded. */
  readonly generation: number;
  /** The result as JSON text. */
  readonly result: string;
  /** The number of attempts of the generation, the successful one included. */
  readonly attempts?: number | undefined;
  /** When the attempt ended, ISO 8601. */
  readonly finishedAt?: string | undefined;
  /** The item as JSON text. */
  readonly item?: string | undefined;
}

/** The place of a result: the first fields of its row. */
export type RowPlace = Pick<ResultRow, "page" | "epoch" | "index" | "generation">;

/** The start of a row in a raw object. */
export interface RowHead extends RowPlace {
  /** How many bytes the head has. The rest of the row begins with the result's field. */
  readonly length: number;
}

/**
 * A row as a line of a raw object, with its newline. The place comes first, so that it can be read without parsing the
 * result.
 */
export function encodeRow({ page, epoch, index, generation, result, attempts, finishedAt, item }: ResultRow): string {
  const head = `{"page":${page},"epoch":${epoch},"index":${index},"generation":${generation},"result":${result}`;
  const more =
    (attempts === undefined ? "" : `,"attempts":${attempts}`) +
    (finishedAt === undefined ? "" : `,"finishedAt":${JSON.stringify(finishedAt)}`) +
    (item === undefined ? "" : `,"item":${item}`);
  return `${head}${more}}\n`;
}

/** Longer than any head: four numbers of 16 digits and the names. */
const LONGEST_HEAD = 120;
const HEAD = /^\{"page":(\d+),"epoch":(\d+),"index":(\d+),"generation":(\d+),/;

/**
 * Reads the start of a row.
 *
 * @param bytes The bytes that hold the row. `start` is where it begins.
 * @throws {Error} There is no row of a raw object.
 */
export function readRowHead(bytes: Buffer, start = 0): RowHead {
  const text = bytes.toString("latin1", start, Math.min(bytes.length, start + LONGEST_HEAD));
  const [head, page, epoch, index, generation] = HEAD.exec(text) ?? [];
  if (head === undefined) throw new Error(`not a row of a result: ${text}`);
  return {
    page: Number(page),
    epoch: Number(epoch),
    index: Number(index),
    generation: Number(generation),
    length: head.length,
  };
}

/** The start of an item's row in a part, up to the comma. The rest of the row in the raw object follows it. */
export const partRowHead = (item: {
  readonly run: string;
  readonly partition: number;
  readonly page: number;
  readonly index: number;
}): string => `{"id":${JSON.stringify(itemId(item))},`;

const PART_HEAD = /^\{"id":"(?:[^"\\]|\\.)*?\/(\d+)\/(\d+)",/;
const LONGEST_PART_HEAD = 2_000;

/**
 * Reads the page and the index from the start of a row of a part.
 *
 * @throws {Error} There is no row of a part.
 */
export function readPartRowHead(
  bytes: Buffer,
  start = 0,
): { readonly page: number; readonly index: number; readonly length: number } {
  const text = bytes.toString("latin1", start, Math.min(bytes.length, start + LONGEST_PART_HEAD));
  const [head, page, index] = PART_HEAD.exec(text) ?? [];
  if (head === undefined) throw new Error(`not a row of a part: ${text.slice(0, LONGEST_HEAD)}`);
  return { page: Number(page), index: Number(index), length: head.length };
}
