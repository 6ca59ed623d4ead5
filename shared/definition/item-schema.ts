import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { InvalidFinding } from "../base/invalid-finding.ts";
import { fingerprint } from "../messages/fingerprint.ts";
import { plainName } from "./schema-fields.ts";

/** An item does not match its workflow's schema, or the schema threw. The message states the place in the item. */
export class InvalidItemError extends Error {
  override readonly name = "InvalidItemError";
  readonly finding: InvalidFinding;

  constructor(message: string, finding: InvalidFinding, options?: ErrorOptions) {
    super(message, options);
    this.finding = finding;
  }
}

/** What is known about an item in addition to its value. */
export interface ItemOrigin {
  /** `header`: the header of a file names the fields of all items. Absent: each item has its own field names. */
  readonly fieldsFrom?: "header" | undefined;
}

/**
 * Validates an item with a workflow's schema. The promise never rejects.
 *
 * @returns The output of the schema, which the task receives; or an `InvalidItemError`.
 */
export async function validateItem(
  schema: StandardSchemaV1,
  item: unknown,
  origin: ItemOrigin = {},
): Promise<{ readonly value: unknown } | InvalidItemError> {
  try {
    const result = await schema["~standard"].validate(item);
    if (result.issues === undefined) return { value: result.value };
    return new InvalidItemError(describe(result.issues), findingOf(result.issues, item, origin));
  } catch (cause) {
    const message = "the schema threw while it validated the item";
    return new InvalidItemError(message, { fault: message }, { cause });
  }
}

function describe(issues: readonly StandardSchemaV1.Issue[]): string {
  const lines = issues.map((issue) => {
    const where = keysOf(issue).join(".");
    return where === "" ? issue.message : `${where}: ${issue.message}`;
  });
  return `the item fails the workflow's schema: ${lines.join("; ")}`;
}

const keysOf = ({ path }: StandardSchemaV1.Issue): readonly PropertyKey[] =>
  (path ?? []).map((segment) => (typeof segment === "object" ? segment.key : segment));

const MOST_ISSUES = 3;
const MOST_KEYS = 10;

function findingOf(
  issues: readonly StandardSchemaV1.Issue[],
  item: unknown,
  { fieldsFrom }: ItemOrigin,
): InvalidFinding {
  const faults = issues.slice(0, MOST_ISSUES).map((issue) => faultOf(issue, item));
  const more = issues.length > MOST_ISSUES ? ["and more"] : [];
  const fault = [...faults.map(({ fault }) => fault), ...more].join("; ");
  const example = [...faults.map(({ example }) => example), ...more].join("; ");
  const keys = [...new Set(faults.flatMap(({ instead }) => instead))].slice(0, MOST_KEYS);
  return {
    fault,
    ...(example !== fault && { example }),
    instead:
      keys.length === 0
        ? undefined
        : `${fieldsFrom === "header" ? "the header has" : "the first of them has"} ${keys.map(quoted).join(", ")}`,
  };
}

/**
 * Describes one issue that the schema found. `fault` leaves out the details of this item, and `example` contains them.
 * If the issue is a missing field, `instead` lists the fields whose names differ from it only in case, spaces or
 * punctuation. If there is no such field, `instead` lists all fields of the object.
 */
function faultOf(
  issue: StandardSchemaV1.Issue,
  item: unknown,
): { readonly fault: string; readonly example: string; readonly instead: readonly string[] } {
  const keys = keysOf(issue);
  const missing = keys.at(-1);
  // A list index differs from item to item, so `[]` replaces it.
  const where = quoted(keys.map((key) => (typeof key === "number" ? "[]" : String(key))).join("."));
  const parent = keys.slice(0, -1).reduce<unknown>((value, key) => (isObject(value) ? value[key] : undefined), item);
  if (missing !== undefined && isObject(parent) && !Array.isArray(parent) && !Object.hasOwn(parent, missing)) {
    const names = Object.keys(parent);
    const meant = names.filter((name) => plainName(name) === plainName(String(missing)));
    const fault = `${where} missing`;
    return { fault, example: fault, instead: meant.length > 0 ? meant : names };
  }
  const at = keys.length === 0 ? "" : `${where}: `;
  const fault = at + fingerprint("", issue.message).text.replace(/^: /, "");
  return { fault, example: at + issue.message, instead: [] };
}

const isObject = (value: unknown): value is Record<PropertyKey, unknown> => typeof value === "object" && value !== null;

const quoted = (text: string): string => `\`${text}\``;
