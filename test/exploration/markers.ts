import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const PRODUCT = fileURLToPath(new URL("../../shared", import.meta.url));

/** A line of its own, above the statement, the property or the array element that a mutant changes. */
const MARKER = /^[ \t]*\/\/ mutant: (.*)$/gm;

export interface Marker {
  readonly mutant: string;
  readonly file: string;
}

/** All markers of the product's source. */
export function productMarkers(): readonly Marker[] {
  const files = readdirSync(PRODUCT, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => join(PRODUCT, file));
  return files.flatMap((file) => markersIn(readFileSync(file, "utf8")).map((mutant) => ({ mutant, file })));
}

/** The names after the markers of a source text. */
export const markersIn = (source: string): readonly string[] =>
  [...source.matchAll(MARKER)].map(([, name = ""]) => name);

/**
 * Changes what follows a marker.
 *
 * @throws {Error} The change leaves the source as it is: the source no longer looks as the mutant expects.
 */
export function changeMarked(source: string, mutant: string, change: (marked: string) => string): string {
  const marker = [...source.matchAll(MARKER)].find(([, name]) => name === mutant);
  if (marker === undefined) throw new Error(`no line "// mutant: ${mutant}" is in this source`);
  const start = marker.index + marker[0].length;
  const end = endOfPart(source, start);
  const marked = source.slice(start, end).trim();
  const changed = change(marked);
  if (changed === marked) {
    throw new Error(`the mutant "${mutant}" changes nothing in: ${marked}\nAdapt it in test/exploration/mutants.ts.`);
  }
  return `${source.slice(0, start)}\n${changed}${source.slice(end)}`;
}

/** A comment or a string: its brackets do not count. */
const OPAQUE = /\/\/.*|\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`/y;

/**
 * Where the statement, the property or the array element that begins at `start` ends: after the `;` or `,` that stands
 * outside of all its brackets, or before the bracket that closes what surrounds it.
 */
function endOfPart(source: string, start: number): number {
  let depth = 0;
  for (let at = start; at < source.length; at++) {
    OPAQUE.lastIndex = at;
    const [opaque] = OPAQUE.exec(source) ?? [];
    if (opaque !== undefined) {
      at += opaque.length - 1;
      continue;
    }
    const character = source.charAt(at);
    if ("([{".includes(character)) depth++;
    else if (")]}".includes(character) && depth-- === 0) return at;
    else if (";,".includes(character) && depth === 0) return at + 1;
  }
  return source.length;
}
