/** An import of a module, as `tsc` writes it: `from "x"`, `import "x"` or `import("x")`. */
const IMPORT = /(\bfrom\s+|\bimport\s+|\bimport\()(["'])([^"'\n]+)\2/g;

/** The modules that a JavaScript or declaration file imports. Imports in comments count as well. */
export const importsOf = (text: string): readonly string[] =>
  [...text.matchAll(IMPORT)].flatMap(([, , , specifier]) => specifier ?? []);

/** The text with other imports. `replacement` returns `undefined` for an import that stays. */
export const withImports = (text: string, replacement: (specifier: string) => string | undefined): string =>
  text.replaceAll(IMPORT, (whole, before: string, quote: string, specifier: string) => {
    const other = replacement(specifier);
    return other === undefined ? whole : `${before}${quote}${other}${quote}`;
  });

/** `import a, { b as c } from "x"` or `export { b } from "x"`: what stands between the words. */
const NAMES = /\b(?:import|export)\s+([^"';]*?)\s+from\s+["']([^"'\n]+)["']/g;

/**
 * The names that a JavaScript file imports from a module: `default` for a default import.
 *
 * @returns `undefined` if the file can use every name, as after `import * as x` or `import()`.
 */
export function namesImported(text: string, from: string): readonly string[] | undefined {
  const clauses = [...text.matchAll(NAMES)].flatMap(([, clause = "", specifier]) => (specifier === from ? clause : []));
  const isDynamic = text.includes(`import("${from}")`);
  if (isDynamic || clauses.some((clause) => clause.includes("*"))) return undefined;
  return clauses.flatMap((clause) => {
    const [, named = ""] = /\{([^}]*)\}/.exec(clause) ?? [];
    const names = named.split(",").flatMap((each) => /^\s*([\w$]+)/.exec(each)?.[1] ?? []);
    return /^[\w$]/.test(clause) ? ["default", ...names] : names;
  });
}
