import { isDeepStrictEqual } from "node:util";
import { InvalidArgumentError } from "commander";
import { toError } from "../../shared/base/errors.ts";
import { toEditableText } from "../../shared/base/exact-json.ts";
import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import type { Workflow } from "../../shared/definition/workflow.ts";
import type { CheckResult, EditCheck, ItemEdits } from "../../ui/server/api.ts";
import { RequestError } from "../../ui/server/request-error.ts";
import { checkSetItem, type ItemChange } from "../dlq/item-change.ts";
import { hasBigints, readItemText } from "../dlq/item-draft.ts";
import { setValues } from "../dlq/set-values.ts";
import { type Assignment, assignment } from "../options/assignment.ts";
import type { Target } from "../targets/target.ts";
import { workflowOf } from "../targets/target-workflow.ts";

/** How many items a check shows. */
const SHOWN = 50;
/** How much of an item's text a check shows. */
const LONGEST_TEXT = 20_000;

const isNone = ({ items = {}, set = [] }: ItemEdits): boolean => Object.keys(items).length + set.length === 0;

/** The change that a redrive makes to items. `undefined`: none. @throws {ConfigurationError} The schema cannot be loaded. */
export async function changeOf(
  target: Pick<Target, "workflow" | "local">,
  edits: ItemEdits,
): Promise<ItemChange | undefined> {
  if (isNone(edits)) return undefined;
  const workflow = await workflowOf(target as Target, undefined);
  const assignments = assignmentsOf(edits);
  return (deadLetter) => changed(workflow, deadLetter, edits, assignments);
}

/** The new item. `undefined`: it stays the same. @throws {Error} It cannot be sent. The message says why. */
async function changed(
  workflow: Pick<Workflow, "item">,
  deadLetter: DeadLetter,
  edits: ItemEdits,
  assignments: readonly Assignment[],
): Promise<unknown> {
  const before = editedItem(deadLetter, edits);
  const item = withValues(before, assignments);
  if (isDeepStrictEqual(item, deadLetter.item)) return undefined;
  await checkSetItem(workflow, deadLetter, { before, item, set: assignments });
  return item;
}

const withValues = (item: unknown, assignments: readonly Assignment[]): unknown =>
  assignments.length === 0 ? item : setValues(item, assignments);

function editedItem(deadLetter: DeadLetter, { items = {} }: ItemEdits): unknown {
  const text = Object.hasOwn(items, deadLetter.id) ? items[deadLetter.id] : undefined;
  let { item } = deadLetter;
  if (text !== undefined) {
    const edited = readItemText(text, hasBigints(item));
    if (edited.tag === "unreadable") throw new Error(edited.problem);
    item = edited.item;
  }
  return item;
}

function assignmentsOf({ set = [] }: ItemEdits): readonly Assignment[] {
  try {
    return set.reduce<readonly Assignment[]>((before, text) => assignment(text, before), []);
  } catch (error) {
    if (error instanceof InvalidArgumentError) throw new RequestError(400, error.message);
    throw error;
  }
}

/** What a change would do to dead letters that were loaded. Nothing is sent. */
export async function checkEdits(
  target: Pick<Target, "workflow" | "local">,
  deadLetters: readonly DeadLetter[],
  edits: ItemEdits,
): Promise<CheckResult> {
  const assignments = assignmentsOf(edits);
  let workflow: Pick<Workflow, "item"> = { item: undefined };
  let problem: string | null = null;
  try {
    workflow = await workflowOf(target as Target, undefined);
    if (workflow.item === undefined) problem = "the workflow has no schema, so every item is valid";
  } catch (error) {
    problem = toError(error).message;
  }
  const checks: EditCheck[] = [];
  let changedItems = 0;
  let invalid = 0;
  for (const deadLetter of deadLetters) {
    const before = deadLetter.item;
    let after = before;
    let wrong: string | null = null;
    try {
      const edited = editedItem(deadLetter, edits);
      after = withValues(edited, assignments);
      await checkSetItem(workflow, deadLetter, { before: edited, item: after, set: assignments });
    } catch (error) {
      wrong = toError(error).message;
    }
    if (wrong !== null) invalid++;
    if (!isDeepStrictEqual(before, after)) changedItems++;
    checks.push({ id: deadLetter.id, before: textOf(before), after: textOf(after), problem: wrong });
    // Only some are shown, so the others need not stay in memory.
    if (checks.length > 4 * SHOWN) keepSome(checks);
  }
  keepSome(checks);
  return { selected: deadLetters.length, changed: changedItems, invalid, examples: checks, problem };
}

function keepSome(checks: EditCheck[]): void {
  const rank = ({ problem, before, after }: EditCheck) => (problem !== null ? 0 : before !== after ? 1 : 2);
  checks.sort((a, b) => rank(a) - rank(b));
  checks.length = Math.min(checks.length, SHOWN);
}

const textOf = (item: unknown): string => (toEditableText(item) ?? "").slice(0, LONGEST_TEXT);
