import { isDeepStrictEqual } from "node:util";
import { toError } from "../../shared/base/errors.ts";
import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import { validateItem } from "../../shared/definition/item-schema.ts";
import type { Workflow } from "../../shared/definition/workflow.ts";
import type { Assignment } from "../options/assignment.ts";
import { asTexts, setValues, typedAs } from "./set-values.ts";
import type { Transform } from "./transform-file.ts";

/**
 * Returns the changed item of a dead letter; `undefined` if the item stays the same. If the function throws, the dead letter
 * is not sent, and the error says why.
 */
export type ItemChange = (deadLetter: DeadLetter) => Promise<unknown>;

/** The change of `--transform` and then of `--set`. The changed item is checked against the workflow's schema. */
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
    const before = item;
    if (set.length > 0) item = setValues(before, set);
    if (isDeepStrictEqual(item, deadLetter.item)) return undefined;
    await checkSetItem(workflow, deadLetter, { before, item, set });
    return item;
  };
}

/**
 * Checks an item in which values were set against the workflow's schema.
 *
 * @throws {Error} The item fails the schema. If it passes with texts instead of numbers, the message says how to type them.
 */
export async function checkSetItem(
  workflow: Pick<Workflow, "item">,
  deadLetter: DeadLetter,
  { before, item, set }: { readonly before: unknown; readonly item: unknown; readonly set: readonly Assignment[] },
): Promise<void> {
  try {
    await checkItem(workflow, deadLetter, item);
  } catch (error) {
    const texts = asTexts(set);
    if (texts === undefined) throw error;
    const passes = await checkItem(workflow, deadLetter, setValues(before, texts)).then(
      () => true,
      () => false,
    );
    if (!passes) throw error;
    throw new Error(`${toError(error).message}. As a text it passes: ${typedAs(texts)}`, { cause: error });
  }
}

async function transformed(transform: Transform, item: unknown, deadLetter: DeadLetter): Promise<unknown> {
  let result: unknown;
  try {
    result = await transform(item, deadLetter);
  } catch (thrown) {
    throw new Error(`the transform threw ${toError(thrown).name}: ${toError(thrown).message}`, { cause: thrown });
  }
  if (result === undefined) throw new Error("the transform returned nothing, so the dead letter stays");
  return result;
}

/**
 * Checks a changed item against the workflow's schema, as the consumer will.
 *
 * @throws {InvalidItemError} The item fails the schema.
 */
export async function checkItem(
  { item: schema }: Pick<Workflow, "item">,
  deadLetter: DeadLetter,
  item: unknown,
): Promise<void> {
  // A message that Sluice did not send has no item. Its body may be anything.
  if (schema === undefined || deadLetter.kind === "foreign") return;
  const result = await validateItem(schema, item);
  if (result instanceof Error) throw result;
}
