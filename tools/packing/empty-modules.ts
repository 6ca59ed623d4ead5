import { readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { importsOf } from "./imports.ts";

/** What `tsc` writes for a module that has types only. */
const EMPTY = /^\s*(export \{\s*\};?\s*)?$/;

/** Deletes the modules that had types only, unless another module imports them all the same. */
export function deleteEmptyModules(files: readonly string[]): void {
  const texts = new Map(files.map((file) => [file, readFileSync(file, "utf8")]));
  const imported = new Set(
    [...texts].flatMap(([file, text]) => importsOf(text).map((specifier) => join(dirname(file), specifier))),
  );
  for (const [file, text] of texts) if (EMPTY.test(text) && !imported.has(file)) rmSync(file);
}
