import { readFileSync, writeFileSync } from "node:fs";

const PAGE = new URL("../../docs/internals/reliability.md", import.meta.url);

/**
 * Replaces the text between `<!-- result:NAME -->` and `<!-- /result -->` in `docs/internals/reliability.md`.
 *
 * @throws {Error} The page has no such place.
 */
export function writeResult(name: string, command: string, content: string): void {
  const page = readFileSync(PAGE, "utf8");
  const open = `<!-- result:${name} -->\n`;
  const from = page.indexOf(open);
  const to = page.indexOf("<!-- /result -->", from);
  if (from < 0 || to < 0) throw new Error(`docs/internals/reliability.md has no place marked ${open.trim()}`);
  const text = `\nOn ${new Date().toISOString().slice(0, 10)}, \`${command}\`:\n\n${content}\n\n`;
  writeFileSync(PAGE, page.slice(0, from + open.length) + text + page.slice(to));
}
