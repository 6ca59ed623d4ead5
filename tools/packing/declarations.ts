import { existsSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { filesIn } from "./files.ts";
import { importsOf } from "./imports.ts";
import { packageOf } from "./vendored.ts";

const isDeclaration = (file: string): boolean => /\.d\.[cm]?ts$/.test(file);

/** The declaration of a module that another declaration imports. */
const declarationOf = (from: string, specifier: string): string =>
  join(dirname(from), specifier).replace(/\.(?<c>[cm]?)[jt]s$/, ".d.$<c>ts");

/**
 * Deletes the declarations that no user's import can reach. Most modules belong to the command line and to the engine,
 * and each small file takes a whole block of the disk.
 *
 * @param entries The declarations of the package's `exports`.
 * @throws {Error} A declaration that stays needs a package that a user's project does not install.
 */
export function pruneDeclarations(directory: string, entries: readonly string[], vendored: readonly string[]): void {
  const reached = new Set<string>();
  const reach = (file: string): void => {
    if (reached.has(file)) return;
    reached.add(file);
    for (const specifier of importsOf(readFileSync(file, "utf8"))) {
      if (vendored.includes(packageOf(specifier))) {
        throw new Error(`${file} needs the types of ${specifier}, which is not installed in a user's project`);
      }
      const declaration = specifier.startsWith(".") ? declarationOf(file, specifier) : undefined;
      // An example in a comment can import a file of the user.
      if (declaration !== undefined && existsSync(declaration)) reach(declaration);
    }
  };
  for (const entry of entries) reach(entry);
  for (const file of filesIn(directory)) if (isDeclaration(file) && !reached.has(file)) rmSync(file);
}
