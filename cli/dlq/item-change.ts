import { isDeepStrictEqual } from "node:util";
import { toError } from "../../shared/base/errors.ts";
import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import { validateItem } from "../../shared/definition/item-schema.ts";
import type { Workflow } from "../../shared/definition/workflow.ts";
import { type Assignment, setValues } from "./set-values.ts";
import type { Transform } from "./transform-file.ts";

/**
 * Gives the item with which a dead letter is sent back, `undefined` where it stays the same. What it throws says why the dead letter
 * cannot be sent.
 */
export type ItemChange = (deadLetter: DeadLetter) => Promise<unknown>;

/** The change of `--transform` and `--set`, in this order, held against the workflow's schema. */
export function itemChange(
  workflow: Pick<Workflow, "item">,
  {
    transform,
    set = [],
  }: { readonly transform?: Transform | undefined; readonly set?: readonly Assignment[] | undefined },
): ItemChange {
  return async (deadLetter) => {
    let item = structuredClone(deadLetter.item);
    if (transform !== undefined) item = await transformed(transform, item, deadLetter);
    if (set.length > 0) item = setValues(item, set);
    if (isDeepStrictEqual(item, deadLetter.item)) return undefined;
    await checkItem(workflow, deadLetter, item);
    return item;
  };
}

async function transformed(transform: Transform, item: unknown, deadLetter: DeadLetter): Promise<unknown> {
  let result: unknown;
  try {
    result = await transform(item, deadLetter);
  } catch (thrown) {
    throw new Error(`the transform threw ${toError(thrown).name}: ${toError(thrown).message}`, { cause: thrown });
  }
  if (result === undefined) throw new Error("the transform left it out: it returned nothing");
  return result;
}

/**
 * Holds a new item against the workflow's schema, as the consumer will.
 *
 * @throws {InvalidItemError} It fails.
 */
export async function checkItem(
  { item: schema }: Pick<Workflow, "item">,
  deadLetter: DeadLetter,
  item: unknown,
): Promise<void> {
  // The body of a message that is none of ours is no item.
  if (schema === undefined || deadLetter.kind === "foreign") return;
  const result = await validateItem(schema, item);
  if (result instanceof Error) throw result;
}
