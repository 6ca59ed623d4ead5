import * as z from "zod";
import type {
  CommandRequest,
  DeadLetterFilter,
  ItemEdits,
  LoadedIds,
  LogRequest,
  Selection,
  WorkRequest,
} from "./api.ts";
import { RequestError } from "./request-error.ts";

/** Names and ids: nothing that begins with a dash or a dot, because some become words of a command or parts of a path. */
const name = z
  .string()
  .max(200)
  .regex(/^\w[\w.-]*$/);
const filter = z.strictObject({
  groups: z.array(z.string().max(200)).max(1_000).optional(),
  reason: z.string().max(200).optional(),
  run: z.string().max(200).optional(),
  text: z.string().max(1_000).optional(),
}) satisfies z.ZodType<DeadLetterFilter>;
const selection = z.strictObject({
  ids: z.array(z.string().max(200)).optional(),
  filter: filter.optional(),
}) satisfies z.ZodType<Selection>;
const edits = z.strictObject({
  items: z.record(z.string().max(200), z.string()).optional(),
  set: z.array(z.string().max(10_000)).max(50).optional(),
}) satisfies z.ZodType<ItemEdits>;

export const commandRequest = z.strictObject({
  command: z.enum(["start", "pause", "resume", "cancel"]),
  workflow: name,
  run: name.optional(),
  items: z.int().positive().optional(),
}) satisfies z.ZodType<CommandRequest>;

export const workRequest = z.strictObject({
  kind: z.enum(["load", "dry run", "redrive", "purge"]),
  workflow: name,
  selection: selection.optional(),
  edits: edits.optional(),
  ratePerSecond: z.number().positive().max(100_000).optional(),
}) satisfies z.ZodType<WorkRequest>;

export const loadedIds = z.strictObject({
  workflow: name,
  ids: z.array(z.string().max(200)),
}) satisfies z.ZodType<LoadedIds>;

export const checkRequest = z.strictObject({ workflow: name, selection, edits });

const text = (query: URLSearchParams, key: string): string | undefined => query.get(key) || undefined;

/** The filter in a query. */
export const filterOf = (query: URLSearchParams): DeadLetterFilter => ({
  groups: text(query, "groups")?.split(","),
  reason: text(query, "reason"),
  run: text(query, "run"),
  text: text(query, "text"),
});

/** A name in a query. @throws {RequestError} It is missing or is no name. */
export function nameOf(query: URLSearchParams, key: string): string {
  const parsed = name.safeParse(query.get(key));
  if (parsed.success) return parsed.data;
  throw new RequestError(400, `the query needs ${key}, as a name of letters, digits, dots and dashes`);
}

/** The id of an item: run, partition if there are some, page and index. */
const ITEM = /^\w[\w.-]*\/(p\d+\/)?\d+\/\d+$/;

/** A request for a log in a query. @throws {RequestError} It names no run, or the item is no id. */
export function logRequestOf(query: URLSearchParams): LogRequest {
  const item = text(query, "item");
  if (item !== undefined && !ITEM.test(item)) throw new RequestError(400, "item is not the id of an item");
  return { run: nameOf(query, "run"), item, onlyErrors: query.get("errors") === "true" };
}

/** Parses a body. @throws {RequestError} It is not JSON, or not what the request needs. */
export function bodyAs<Body>(schema: z.ZodType<Body>, body: string): Body {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new RequestError(400, "the body is not JSON");
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new RequestError(400, z.prettifyError(parsed.error));
}
