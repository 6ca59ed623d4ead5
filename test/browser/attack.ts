import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";

/** In JavaScript: it runs in the browser, whose types are not those of this project. */
const SCRIPT = fileURLToPath(new URL("./attack.js", import.meta.url));

/** What a page knows of a server of the engine, and what it tries to have of it. */
export interface AttackTarget {
  readonly endpoint: string;
  /** Access key ids that it guesses; the last one is the right one, as if it had leaked. */
  readonly keys: readonly string[];
  /** The JSON protocol's action that reads, and one that deletes, with their bodies. */
  readonly requests: readonly { readonly target: string; readonly body: string }[];
  /** The same for the query protocol: URLs' queries and forms' fields. */
  readonly query: Readonly<Record<string, string>>;
}

/** What a page could read of an answer. */
export interface Read {
  readonly by: string;
  readonly status: number;
  readonly text: string;
}

/** Has a page try all that it can do to a server. @returns what it could read. */
export async function attackFrom(page: Page, target: AttackTarget): Promise<readonly Read[]> {
  await page.addScriptTag({ path: SCRIPT });
  return (await page.evaluate(`attack(${JSON.stringify(target)})`)) as readonly Read[];
}
