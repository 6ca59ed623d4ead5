import { SourceError } from "../../shared/base/errors.ts";
import { containStrayErrors } from "../../shared/consumer/attempts/stray-errors.ts";
import { compareFields, schemaFields } from "../../shared/definition/schema-fields.ts";
import type { Workflow } from "../../shared/definition/workflow.ts";
import { type Serialised, serialise } from "../../shared/producer/serialised.ts";
import { SourceWait } from "../../shared/sources/source-wait.ts";
import { EXIT } from "../exit-code.ts";
import { newRunId } from "../runs/new-run-id.ts";
import { timeOf } from "../screens/format.ts";
import { TryScreen } from "../screens/try-screen.ts";
import { pageText, summaryText, triedText } from "../screens/try-text.ts";
import { writeJson } from "../screens/write-json.ts";
import { type FirstPage, readFirstPage, valuesOf } from "./first-page.ts";
import { type TriedItem, tryItem } from "./try-item.ts";

export interface TrySettings {
  readonly json: boolean;
  /** How many items of the first page to try. */
  readonly items: number;
  /** The items to try, instead of those of the source. */
  readonly given?: readonly unknown[] | undefined;
}

/**
 * Reads the first page, and makes one attempt for each of its first items, one after another.
 *
 * @returns The exit code.
 * @throws {SourceError} The source cannot be read, or asks to wait.
 */
export async function tryWorkflow(workflow: Workflow, { json, items, given }: TrySettings): Promise<number> {
  const screen = new TryScreen();
  const chosen = given?.map(serialise) ?? (await firstItems(workflow, items, json ? undefined : screen));
  // Each try has its own id, so that a service does not answer a second try with the stored answer to the first one.
  const run = `try-${newRunId()}`;
  const tried: TriedItem[] = [];
  let running = 0;
  const onExit = () => {
    if (running > 0) process.stderr.write(`the process ended while the task worked on item ${running}\n`);
  };
  process.on("exit", onExit);
  const release = containStrayErrors((error) => console.error(`an error that belongs to no attempt: ${error.stack}`));
  try {
    for (const [index, serialised] of chosen.entries()) {
      running = index + 1;
      const one = await tryItem(workflow, serialised, { run, number: index + 1 });
      running = 0;
      tried.push(one);
      if (json) writeJson({ type: "item", ...one });
      else screen.print(triedText(one));
    }
  } finally {
    release();
    process.off("exit", onExit);
  }
  const failed = tried.filter(({ outcome }) => outcome === "failed").length;
  const counts = { tried: tried.length, succeeded: tried.length - failed, failed };
  if (json) writeJson({ type: "summary", workflow: workflow.name, ...counts });
  else screen.end(summaryText(counts));
  return failed > 0 ? EXIT.deadLetters : EXIT.succeeded;
}

/** @param screen `undefined`: the page is printed as JSON. */
async function firstItems(
  workflow: Workflow,
  most: number,
  screen: TryScreen | undefined,
): Promise<readonly Serialised[]> {
  const page = await readFirstPage(workflow).catch(explainWait);
  const schema = workflow.item;
  const known = schema === undefined ? undefined : schemaFields(schema);
  const findings = compareFields(valuesOf(page.items), known);
  const shown = { items: page.items.length, next: page.next, warnings: page.warnings, findings };
  if (screen === undefined) {
    const { next, ...others } = shown;
    writeJson({ type: "page", workflow: workflow.name, ...others, ended: next === undefined, cursor: next });
  } else {
    screen.begin(pageText(workflow, { ...shown, hasSchema: schema !== undefined, isSchemaKnown: known !== undefined }));
  }
  return page.items.slice(0, most);
}

function explainWait(error: unknown): FirstPage {
  if (!(error instanceof SourceWait)) throw error;
  const long = error.until === undefined ? "" : ` until ${timeOf(error.until)}`;
  throw new SourceError(`the service asked the source to wait${long}: ${error.message}. Try again later`, {
    cause: error,
  });
}
