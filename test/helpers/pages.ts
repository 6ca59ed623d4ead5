import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A page of the documentation: its path from the root of the repository, and its Markdown. */
export interface Page {
  readonly path: string;
  readonly text: string;
}

/** The pages of a folder and its subfolders. */
export const pagesIn = (folder: string): readonly Page[] =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".md"))
    .toSorted()
    .map((file) => page(join(folder, file)));

export const page = (path: string): Page => ({ path, text: readFileSync(join(ROOT, path), "utf8") });

/** A fenced block of code: its language, its content, and the line of the page on which the content begins. */
export interface Block {
  readonly language: string;
  readonly code: string;
  readonly line: number;
}

export function blocksOf({ text }: Page): readonly Block[] {
  const blocks = text.matchAll(/^( *)```(\w*)\n([\s\S]*?)^\1```$/gm);
  return [...blocks].map(({ 2: language = "", 3: code = "", index }) => ({
    language,
    code,
    line: text.slice(0, index).split("\n").length + 1,
  }));
}

/** The page without its blocks of code, each replaced by as many empty lines. */
export const proseOf = ({ text }: Page): string =>
  text.replaceAll(/^( *)```[\s\S]*?^\1```$/gm, (block) => block.replaceAll(/[^\n]/g, ""));
