import * as z from "zod";
import { refuseNewer } from "../base/newer-version.ts";
import { INCLUDED_FIELDS, RESULT_FORMATS } from "../definition/results-options.ts";

/** The newest version of a manifest and of a block record that this code reads. See `docs/internals/versions.md`. */
const NEWEST = 1;

const fileSchema = z.strictObject({
  /** The key of the object, relative to the store's URL. */
  key: z.string(),
  bytes: z.int().min(0),
  /** The SHA-256 of the object, in hexadecimal digits. */
  sha256: z.string(),
});

const partSchema = z.strictObject({
  ...fileSchema.shape,
  rows: z.int().min(0),
  /** The same rows as CSV. Present in the manifests of runs with the format `csv`. */
  csv: fileSchema.optional(),
});

/** A part of the result set: rows of one block in the order of the source. */
export type Part = Readonly<z.infer<typeof partSchema>>;

const blockSchema = z.strictObject({
  partition: z.int().min(0),
  block: z.int().min(0),
  /** Counts the block records of the block, from 1. */
  revision: z.int().min(1),
  /** The results of the block. */
  rows: z.int().min(0),
  /** Items of the block that succeeded and have no result. This happens only if somebody deleted objects. */
  missing: z.int().min(0),
  /** The names of the results' fields, in the order of their first appearance. Only with the format `csv`. */
  columns: z.array(z.string()).readonly().optional(),
  parts: z.array(partSchema).readonly(),
});

const blockRecordSchema = z.strictObject({
  sluice: z.literal(1),
  ...blockSchema.shape,
  /** Identifies the writer, which must know whether its own write took effect. */
  id: z.string(),
  /** The key of the list of raw objects that the parts replace. */
  replaced: z.string(),
});

/** The parts of one compacted block. */
export type BlockRecord = Readonly<z.infer<typeof blockRecordSchema>>;

const manifestSchema = z.strictObject({
  sluice: z.literal(1),
  /** Identifies the writer. */
  id: z.string(),
  workflow: z.string(),
  run: z.string(),
  /** The status with which the run ended. */
  status: z.string(),
  /** The number of the manifest of the run, from 1. Each manifest replaces the one before. */
  version: z.int().min(1),
  /** ISO 8601. */
  createdAt: z.string(),
  format: z.enum(RESULT_FORMATS),
  include: z.array(z.enum(INCLUDED_FIELDS)).readonly(),
  rows: z.int().min(0),
  missing: z.int().min(0),
  /** The header of all CSV parts. Present with the format `csv`. */
  header: z.array(z.string()).readonly().optional(),
  /** The blocks in the order of the source. The parts of all blocks in this order are the result set. */
  blocks: z.array(blockSchema).readonly(),
});

/** A version of a run's whole result set. */
export type Manifest = Readonly<z.infer<typeof manifestSchema>>;

/**
 * Reads a manifest.
 *
 * @throws {NewerVersionError} A newer version of Sluice wrote it.
 * @throws {Error} It is not a manifest.
 */
export const parseManifest = (text: string): Manifest => parse(manifestSchema, text, "the manifest");

/** Reads a block record. Throws as `parseManifest`. */
export const parseBlockRecord = (text: string): BlockRecord => parse(blockRecordSchema, text, "the block record");

function parse<Schema extends z.ZodType>(schema: Schema, text: string, what: string): z.infer<Schema> {
  const json: unknown = JSON.parse(text);
  if (typeof json === "object" && json !== null && "sluice" in json) refuseNewer(json.sluice, NEWEST, what);
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new Error(`${what} is damaged: ${z.prettifyError(parsed.error)}`);
}
