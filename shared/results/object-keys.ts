import type { BlockAddress } from "../messages/item-address.ts";

// The keys of a run's objects. All numbers have leading zeros, so keys sort in the order of the source. The layout is
// described in `docs/internals/results.md`.

const PARTITION_DIGITS = 5;
const BLOCK_DIGITS = 7;
const PAGE_DIGITS = 3;
const NUMBER_DIGITS = 5;

const padded = (number: number, digits: number): string => String(number).padStart(digits, "0");

/** The prefix of all objects of a run. It ends with `/`. */
export const runPrefix = (run: string): string => `${encodeURIComponent(run).replace(/[.!~*'()]/g, escapeCharacter)}/`;

// `encodeURIComponent` keeps these characters. A key must not have a segment `..`, and tools read the others as patterns.
const escapeCharacter = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;

const blockText = ({ partition, block }: Omit<BlockAddress, "run">, separator: string): string =>
  `${padded(partition, PARTITION_DIGITS)}${separator}${padded(block, BLOCK_DIGITS)}`;

/** The prefix of all raw objects of a run. */
export const rawRunPrefix = (run: string): string => `${runPrefix(run)}raw/`;

/** The prefix of the raw objects of a block. */
export const rawPrefix = (address: BlockAddress): string => `${rawRunPrefix(address.run)}${blockText(address, "/")}/`;

/**
 * The key of a raw object. Keys of a block sort by the first page.
 *
 * @param pages The first and the last page of the object, counted in the block: 0 to 999.
 * @param id Unique among all writers.
 */
export const rawKey = (address: BlockAddress, pages: { readonly first: number; readonly last: number }, id: string) =>
  `${rawPrefix(address)}${padded(pages.first, PAGE_DIGITS)}-${padded(pages.last, PAGE_DIGITS)}-${id}.jsonl`;

const RAW_NAME = /\/(\d{3})-(\d{3})-[^/]+\.jsonl$/;

/** The pages of a raw object, counted in the block. `undefined`: the key is not one of a raw object. */
export function pagesOfRawKey(key: string): { readonly first: number; readonly last: number } | undefined {
  const [, first, last] = RAW_NAME.exec(key) ?? [];
  return first === undefined || last === undefined ? undefined : { first: Number(first), last: Number(last) };
}

/** The prefix of the block records of a run. */
export const blocksPrefix = (run: string): string => `${runPrefix(run)}blocks/`;

/** The key of a block record. `revision` counts from 1. */
export const blockRecordKey = (address: BlockAddress, revision: number): string =>
  `${blocksPrefix(address.run)}${blockText(address, "/")}-${padded(revision, NUMBER_DIGITS)}.json`;

/** The key of the list of raw objects that a block record replaces. */
export const replacedKey = (address: BlockAddress, revision: number, id: string): string =>
  `${blocksPrefix(address.run)}${blockText(address, "/")}-${padded(revision, NUMBER_DIGITS)}-${id}.raw`;

/** The key of the progress of a block's compaction. */
export const progressKey = (address: BlockAddress, revision: number, id: string): string =>
  `${blocksPrefix(address.run)}${blockText(address, "/")}-${padded(revision, NUMBER_DIGITS)}-${id}.progress`;

/** The prefix of the parts of a run. */
export const partsPrefix = (run: string): string => `${runPrefix(run)}jsonl/`;

/** The prefix of a run's parts as CSV. */
export const csvPrefix = (run: string): string => `${runPrefix(run)}csv/`;

/** The key of a part. `number` counts the parts of the block, from 0. */
export const partKey = (address: BlockAddress, number: number, revision: number, id: string): string =>
  `${partsPrefix(address.run)}part-${blockText(address, "-")}-${padded(number, NUMBER_DIGITS)}-${padded(
    revision,
    NUMBER_DIGITS,
  )}-${id}.jsonl`;

/** The prefix of the manifests of a run. */
export const manifestPrefix = (run: string): string => `${runPrefix(run)}manifest-`;

/** The key of a manifest. `version` counts from 1. */
export const manifestKey = (run: string, version: number): string => `${manifestPrefix(run)}${version}.json`;

/** The version of a manifest, from its key. `undefined`: the key is not one of a manifest. */
export function versionOfManifestKey(key: string): number | undefined {
  const version = /\/manifest-(\d+)\.json$/.exec(key)?.[1];
  return version === undefined ? undefined : Number(version);
}

const BLOCK_NAME = /\/blocks\/(\d+)\/(\d+)-(\d+)(?:-([A-Za-z0-9-]+))?\.(json|raw|progress)$/;
const PART_NAME = /\/jsonl\/part-(\d+)-(\d+)-\d+-(\d+)-/;
const CSV_NAME = /\/csv\/part-[^/]+-(\d+)-[0-9a-f]{8}\.csv/;

/** What an object of the compaction belongs to. */
export interface RevisionOfBlock {
  readonly partition: number;
  readonly block: number;
  readonly revision: number;
}

/** The block and the revision of a block record, a list of replaced objects or a progress, and which of them it is. */
export function readBlockKey(
  key: string,
): (RevisionOfBlock & { readonly kind: "json" | "raw" | "progress" }) | undefined {
  const [, partition, block, revision, , kind] = BLOCK_NAME.exec(key) ?? [];
  if (kind !== "json" && kind !== "raw" && kind !== "progress") return undefined;
  return { partition: Number(partition), block: Number(block), revision: Number(revision), kind };
}

/** The block and the revision of a part. */
export function readPartKey(key: string): RevisionOfBlock | undefined {
  const [, partition, block, revision] = PART_NAME.exec(key) ?? [];
  if (revision === undefined) return undefined;
  return { partition: Number(partition), block: Number(block), revision: Number(revision) };
}

/** The version of the manifest for which a CSV part, or the note about it, was written. */
export function versionOfCsvKey(key: string): number | undefined {
  const version = CSV_NAME.exec(key)?.[1];
  return version === undefined ? undefined : Number(version);
}
