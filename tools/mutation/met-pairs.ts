import { createHash } from "node:crypto";
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pairOf } from "./plan.ts";
import { DIRECTORY } from "./process.ts";

interface Stored {
  /** The hash of the instrumented code. */
  readonly code: string;
  /** By test file. */
  readonly files: Readonly<Record<string, { readonly content: string; readonly pairs: readonly string[] }>>;
}

/**
 * The pairs of a test and a mutant in which the test did not notice the mutant. They are kept for later runs, as long as the
 * code, the test's file and the helpers in its folder stay the same.
 */
export class MetPairs {
  readonly #path: string;
  readonly #code: string;
  readonly #byFile = new Map<string, Set<string>>();
  /** By test file, as it was at first. If a file changes during a run, its pairs do not count for the new content. */
  readonly #contents = new Map<string, string>();

  /** @param files The files of the tests that run. */
  constructor(name: string, code: Readonly<Record<string, string>>, files: readonly string[]) {
    this.#path = join(DIRECTORY, `${name}.met.json`);
    this.#code = createHash("sha256").update(JSON.stringify(code)).digest("hex");
    const stored: Stored = existsSync(this.#path)
      ? JSON.parse(readFileSync(this.#path, "utf8"))
      : { code: this.#code, files: {} };
    for (const file of new Set([...files, ...Object.keys(stored.files)]))
      if (existsSync(file)) this.#contents.set(file, contentOf(file));
    if (stored.code !== this.#code) return;
    for (const [file, { content, pairs }] of Object.entries(stored.files))
      if (this.#contents.get(file) === content) this.#byFile.set(file, new Set(pairs));
  }

  get all(): string[] {
    return [...this.#byFile.values()].flatMap((pairs) => [...pairs]);
  }

  add(test: string, mutant: string): void {
    const file = fileOf(test);
    const pairs = this.#byFile.get(file) ?? new Set();
    pairs.add(pairOf(test, mutant));
    this.#byFile.set(file, pairs);
  }

  save(): void {
    const files = Array.from(this.#byFile, ([file, pairs]) => [
      file,
      { content: this.#contents.get(file), pairs: [...pairs] },
    ]);
    writeFileSync(this.#path, JSON.stringify({ code: this.#code, files: Object.fromEntries(files) }));
  }
}

/** The file of a test, by the test's name. */
export const fileOf = (test: string): string => test.split(" > ")[0] ?? "";

function contentOf(file: string): string {
  const hash = createHash("sha256");
  const helpers = globSync(join(dirname(file), "*.ts")).filter((path) => !path.endsWith(".test.ts"));
  for (const path of [file, ...helpers.sort()]) hash.update(readFileSync(path));
  return hash.digest("hex");
}
