import type { StandardSchemaV1 } from "@standard-schema/spec";

/** An item fails its workflow's schema. The message says where. */
export class InvalidItemError extends Error {
  override readonly name = "InvalidItemError";
}

/**
 * Holds an item against a workflow's schema.
 *
 * @returns what the schema makes of it, which is what the task gets; or an `InvalidItemError`. It never rejects.
 */
export async function validateItem(
  schema: StandardSchemaV1,
  item: unknown,
): Promise<{ readonly value: unknown } | InvalidItemError> {
  try {
    const result = await schema["~standard"].validate(item);
    return result.issues === undefined ? { value: result.value } : new InvalidItemError(describe(result.issues));
  } catch (cause) {
    return new InvalidItemError("the schema threw while it validated the item", { cause });
  }
}

function describe(issues: readonly StandardSchemaV1.Issue[]): string {
  const lines = issues.map(({ message, path }) => {
    const where = (path ?? []).map((segment) => String(typeof segment === "object" ? segment.key : segment)).join(".");
    return where === "" ? message : `${where}: ${message}`;
  });
  return `the item fails the workflow's schema: ${lines.join("; ")}`;
}
