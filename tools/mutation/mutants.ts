import { createHash } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { relative, resolve } from "node:path";
import { type Code, isTextForPeople } from "./text-for-people.ts";

/** One change of the source. All mutants of a file are in its instrumented code, and a global variable activates one. */
export interface Mutant {
  readonly id: string;
  /** Relative to the root of the repository. */
  readonly file: string;
  readonly line: number;
  readonly kind: string;
  readonly original: string;
  readonly replacement: string;
  /** The first digits of the SHA-256 of the file. Results of another content do not count. */
  readonly content: string;
  /** Whether it only changes a text that people read: see `isTextForPeople`. Such a mutant is not in the code. */
  readonly isText: boolean;
}

export interface Instrumented {
  readonly mutants: readonly Mutant[];
  /** The instrumented code, by absolute path. */
  readonly code: Readonly<Record<string, string>>;
}

/** The parts of Stryker's instrumenter that are used. The package is installed in this folder only. */
interface Instrumenter {
  instrument(
    files: readonly { readonly name: string; readonly mutate: true; readonly content: string }[],
    options: {
      readonly plugins: null;
      readonly excludedMutations: readonly string[];
      readonly ignorers: readonly Ignorer[];
    },
  ): Promise<{
    readonly files: readonly { readonly name: string; readonly content: string }[];
    readonly mutants: readonly StrykerMutant[];
  }>;
}

interface Ignorer {
  /** Returns why the mutants in a piece of code are left out, or `undefined` if they are not. */
  shouldIgnore(code: Code): string | undefined;
}

interface Position {
  readonly line: number;
  readonly column: number;
}

interface StrykerMutant {
  readonly id: string;
  readonly fileName: string;
  readonly mutatorName: string;
  readonly replacement: string;
  readonly location: { readonly start: Position; readonly end: Position };
  readonly statusReason?: string | undefined;
}

/** Puts the mutants of a folder's files into their code. */
export async function instrument(folder: string): Promise<Instrumented> {
  const instrumenter = await loadInstrumenter();
  const files = globSync(`${folder}/**/*.ts`)
    .sort()
    .map((file) => ({ name: resolve(file), mutate: true as const, content: readFileSync(file, "utf8") }));
  const lines = new Map(files.map(({ name, content }) => [name, content.split("\n")]));
  const hashes = new Map(files.map(({ name, content }) => [name, contentHash(content)]));
  const shouldIgnore = (code: Code) => (isTextForPeople(code) ? "text" : undefined);
  const options = { plugins: null, excludedMutations: [], ignorers: [{ shouldIgnore }] };
  const instrumented = await instrumenter.instrument(files, options);
  return {
    mutants: instrumented.mutants.map(({ id, fileName, mutatorName, replacement, location, statusReason }) => ({
      id,
      file: relative("", fileName),
      line: location.start.line + 1,
      kind: mutatorName,
      original: textAt(lines.get(fileName) ?? [], location.start, location.end),
      replacement,
      content: hashes.get(fileName) ?? "",
      isText: statusReason !== undefined,
    })),
    code: Object.fromEntries(instrumented.files.map(({ name, content }) => [name, content])),
  };
}

const contentHash = (content: string): string => createHash("sha256").update(content).digest("hex").slice(0, 12);

async function loadInstrumenter(): Promise<Instrumenter> {
  const name = "@stryker-mutator/instrumenter";
  try {
    const { Instrumenter } = await import(name);
    return new Instrumenter({ debug() {}, info() {}, warn: console.warn, isDebugEnabled: () => false });
  } catch (error) {
    throw new Error(`${name} is missing: run npm ci --prefix tools/mutation`, { cause: error });
  }
}

function textAt(lines: readonly string[], start: Position, end: Position): string {
  if (start.line === end.line) return lines[start.line]?.slice(start.column, end.column) ?? "";
  const between = lines.slice(start.line + 1, end.line);
  return [lines[start.line]?.slice(start.column), ...between, lines[end.line]?.slice(0, end.column)].join("\n");
}
