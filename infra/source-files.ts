import { chmodSync, copyFileSync, mkdirSync, type Stats, statSync } from "node:fs";
import { dirname, isAbsolute, join, normalize, relative, resolve, sep } from "node:path";
import { ConfigurationError, toError } from "../shared/base/errors.ts";
import { show } from "../shared/base/options.ts";
import type { Workflow } from "../shared/definition/workflow.ts";
import type { Source } from "../shared/sources/source.ts";
import { BUNDLE_FILE, S3_FILE } from "./bundling.ts";

/**
 * The largest total size of the files of a workflow, in megabytes. Lambda allows 250 MB for an unzipped function. Each
 * deployment uploads the files, and each cold start of the producer can load them.
 * https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 */
const LARGEST_MEGABYTES = 100;

const MEGABYTE = 1_024 * 1_024;

/** A file that a workflow's source reads. */
export interface SourceFile {
  /** The path relative to the working directory, both at synth and in the function. */
  readonly path: string;
  readonly bytes: number;
}

/**
 * The files that a workflow's source opens by their paths.
 *
 * @param variables The environment variables of the functions. A path can depend on them.
 * @throws {ConfigurationError} A file cannot be packed with the producer, or the producer would not find it.
 */
export function sourceFiles(
  { name, source }: Pick<Workflow, "name" | "source">,
  variables: Readonly<Record<string, string>>,
): readonly SourceFile[] {
  const paths = new Set(pathsOf(name, source, variables).map((path) => checkPath(name, path)));
  const files = [...paths].map((path) => ({ path, bytes: sizeOf(name, path) }));
  const megabytes = files.reduce((sum, { bytes }) => sum + bytes, 0) / MEGABYTE;
  if (megabytes > LARGEST_MEGABYTES) {
    const all = files.map(({ path, bytes }) => `${path} (${(bytes / MEGABYTE).toFixed(1)} MB)`).join(", ");
    throw new ConfigurationError(
      `the source of the workflow ${name} reads ${all}: that is more than the ${LARGEST_MEGABYTES} MB that are packed with ` +
        "its producer. Put the file where the function can fetch it, such as in S3, and read it with httpPages(...) or your " +
        "own readPage; or split it over several workflows",
    );
  }
  return files;
}

/** Copies files into a function's asset, at the paths at which the source opens them. */
export function copySourceFiles(files: readonly SourceFile[], directory: string): void {
  for (const { path } of files) {
    const copy = join(directory, path);
    mkdirSync(dirname(copy), { recursive: true });
    copyFileSync(path, copy);
    // On Lambda, another operating-system user reads the file.
    // https://docs.aws.amazon.com/lambda/latest/dg/deployment-package-v2.html
    chmodSync(copy, 0o644);
  }
}

/** The paths that the source opens, with the environment variables that the function will have. */
function pathsOf(workflow: string, source: Source, variables: Readonly<Record<string, string>>): readonly string[] {
  try {
    return source.files?.(variables) ?? [];
  } catch (thrown) {
    throw new ConfigurationError(
      `the source of the workflow ${workflow} cannot say which files it reads: ${toError(thrown).message}. Its function ` +
        "receives only the environment variables that the workflow names in environment",
      { cause: thrown },
    );
  }
}

function checkPath(workflow: string, path: unknown): string {
  const reads = `the source of the workflow ${workflow} reads ${show(path)}`;
  if (typeof path !== "string" || path === "") {
    throw new ConfigurationError(`${reads}: the files of a source must be paths, such as "data/cities.csv"`);
  }
  const below = relative(process.cwd(), resolve(path));
  const isBelow = below !== "" && below !== ".." && !below.startsWith(`..${sep}`) && !isAbsolute(below);
  if (!isBelow) {
    throw new ConfigurationError(
      `${reads}, which is not below the working directory ${process.cwd()} and cannot be packed with the producer: move the ` +
        'file there and give its path relative to that directory, such as "data/cities.csv"',
    );
  }
  if (isAbsolute(path)) {
    throw new ConfigurationError(
      `${reads}, which is not where the file is on Lambda: give the path relative to the working directory, ` +
        `${show(below)}, and not a URL`,
    );
  }
  if ([BUNDLE_FILE, `${BUNDLE_FILE}.map`, S3_FILE].includes(normalize(path))) {
    throw new ConfigurationError(`${reads}, the name of the function's own bundle: rename the file`);
  }
  return normalize(path);
}

function sizeOf(workflow: string, path: string): number {
  let stats: Stats;
  try {
    stats = statSync(path);
  } catch (thrown) {
    throw new ConfigurationError(
      `the source of the workflow ${workflow} reads ${path} (${resolve(path)}), which cannot be packed with its producer: ` +
        `${toError(thrown).message}. Put the file there, or correct the path: it is relative to the working directory`,
      { cause: thrown },
    );
  }
  if (stats.isFile()) return stats.size;
  throw new ConfigurationError(
    `the source of the workflow ${workflow} reads ${path}, which is not a file: name a file`,
  );
}
