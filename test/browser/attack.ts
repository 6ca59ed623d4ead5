import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";

/** This script is JavaScript, because it runs in the browser and not in this project. */
const SCRIPT = fileURLToPath(new URL("./attack.js", import.meta.url));

/** What a page knows about a server of the engine, and which requests it tries. */
export interface AttackTarget {
  readonly endpoint: string;
  /** Access key ids that the page tries. The last one is the right one, as if it had leaked. */
  readonly keys: readonly string[];
  /** An action of the JSON protocol that reads, and one that deletes, with their bodies. */
  readonly requests: readonly { readonly target: string; readonly body: string }[];
  /** The same for the query protocol: the query of a URL and the fields of a form. */
  readonly query: Readonly<Record<string, string>>;
}

/** An answer that a page could read. */
export interface Read {
  readonly by: string;
  readonly status: number;
  readonly text: string;
}

/** Lets a page try every attack on a server. @returns what the page could read. */
export async function attackFrom(page: Page, target: AttackTarget): Promise<readonly Read[]> {
  await page.addScriptTag({ path: SCRIPT });
  return (await page.evaluate(`attack(${JSON.stringify(target)})`)) as readonly Read[];
}
