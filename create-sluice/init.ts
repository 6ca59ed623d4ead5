import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { InitError } from "./init-error.ts";
import { nameOf, readOwnCsv } from "./own-csv.ts";
import { type PackageManager, packageManagerOf, workspaceRootOf } from "./package-manager.ts";
import { addToManifest, type Manifest, PNPM_WORKSPACE, YARNRC } from "./package-manifest.ts";
import { IGNORED, json, projectFiles } from "./project-files.ts";
import { SOURCE_KINDS } from "./sources/sources.ts";

export interface InitOptions {
  /** The folder of the project. It is created if it does not exist. */
  readonly folder: string;
  /** The id of a kind of source: see `SOURCE_KINDS`. */
  readonly source: string;
  /** The user's own CSV file. */
  readonly file?: string | undefined;
  /** The name of the workflow. Default: that of the CSV file, or of the kind of source. */
  readonly name?: string | undefined;
  /** The version of Sluice, for `package.json`. */
  readonly library: string;
  /** The value of `npm_config_user_agent`. */
  readonly userAgent?: string | undefined;
  /** The version of the Node of this machine, such as `"24.21.0"`. */
  readonly node: string;
  /** Says whether an existing file may be overwritten. */
  mayOverwrite(path: string): Promise<boolean>;
}

/** What `init` did. */
export interface InitReport {
  readonly directory: string;
  readonly name: string;
  readonly packageManager: PackageManager;
  readonly written: readonly string[];
  /** Files that existed and were left as they were. */
  readonly kept: readonly string[];
  /** What the user should know about the own file. */
  readonly notes: readonly string[];
  /** The root of the workspace that the project is part of. */
  readonly workspaceRoot: string | undefined;
  /** The name of the script that runs the workflow: `start`, or `sluice:start` if the project has a `start`. */
  readonly startScript: string;
}

/**
 * Writes a project with one workflow into a folder. An existing `package.json` or `.gitignore` is only added to. Any other
 * existing file is overwritten only if `mayOverwrite` says so.
 *
 * @throws {InitError} An option or the project's `package.json` is invalid. Nothing was written.
 */
export async function init(options: InitOptions): Promise<InitReport> {
  const directory = resolve(options.folder);
  const kind = SOURCE_KINDS.find(({ id }) => id === options.source);
  if (kind === undefined) {
    const known = SOURCE_KINDS.map(({ id }) => id).join(", ");
    throw new InitError(`--source must be one of ${known}, and it is ${JSON.stringify(options.source)}`);
  }
  if (options.file !== undefined && kind.id !== "csv") {
    throw new InitError("--file is a CSV file: use it with --source csv");
  }
  const csv = options.file === undefined ? undefined : readOwnCsv(options.file);
  const name = checkName(options.name ?? ((options.file && nameOf(options.file)) || kind.defaultName));

  const before = readManifest(directory);
  const workspaceRoot = workspaceRootOf(directory);
  const packageManager = packageManagerOf(directory, options.userAgent);
  const project = projectFiles(kind, { name, csv }, before);
  const needsNode = Number(options.node.split(".")[0]) < 24;
  const manifest = addToManifest(before, { scripts: project.scripts, library: options.library, needsNode });
  const files: Record<string, string | Uint8Array> = { ...project.files };
  // A folder inside a workspace takes these settings from the root. Another file would make it a workspace of its own.
  if (workspaceRoot === undefined && packageManager === "pnpm") files["pnpm-workspace.yaml"] = PNPM_WORKSPACE;
  if (workspaceRoot === undefined && packageManager === "yarn") files[".yarnrc.yml"] = YARNRC;

  const written: string[] = [];
  const kept: string[] = [];
  for (const [path, content] of Object.entries(files)) {
    const isWritten = await write(join(directory, path), content, () => options.mayOverwrite(path));
    (isWritten ? written : kept).push(path);
  }
  // The user asked for these additions. They change nothing that is in the files.
  for (const [path, content] of [
    ["package.json", json(manifest)],
    [".gitignore", ignored(directory)],
  ] as const) {
    await write(join(directory, path), content, async () => true);
    written.push(path);
  }
  const startScript = manifest.scripts?.start === project.scripts.start ? "start" : "sluice:start";
  const notes = csv?.notes ?? [];
  return { directory, name, packageManager, written: written.sort(), kept, notes, workspaceRoot, startScript };
}

/** Returns whether the file was written. A file with the same content stays, and counts as written. */
async function write(path: string, content: string | Uint8Array, mayOverwrite: () => Promise<boolean>) {
  if (existsSync(path)) {
    if (Buffer.from(content).equals(readFileSync(path))) return true;
    if (!(await mayOverwrite())) return false;
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return true;
}

function readManifest(directory: string): Manifest {
  const path = join(directory, "package.json");
  if (!existsSync(path)) {
    return { name: packageName(directory), version: "1.0.0", private: true, type: "module" };
  }
  try {
    const manifest: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof manifest === "object" && manifest !== null && !Array.isArray(manifest)) return manifest as Manifest;
    throw new Error("it is not an object");
  } catch (thrown) {
    throw new InitError(`${path} is not a package.json: ${(thrown as Error).message}. Correct it, and start again`);
  }
}

function packageName(directory: string): string {
  const name = basename(directory)
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, "-");
  return name.replaceAll(/^-+|-+$/g, "") || "workflows";
}

function ignored(directory: string): string {
  const path = join(directory, ".gitignore");
  const before = existsSync(path) ? readFileSync(path, "utf8") : "";
  const has = new Set(before.split(/\r?\n/).map((line) => line.trim().replace(/^\/|\/$/g, "")));
  const missing = IGNORED.filter((line) => !has.has(line.replace(/\/$/, "")));
  const gap = before === "" || before.endsWith("\n") ? "" : "\n";
  return `${before}${gap}${missing.map((line) => `${line}\n`).join("")}`;
}

function checkName(name: string): string {
  if (/^[a-z][a-z0-9-]{0,39}$/.test(name)) return name;
  throw new InitError(
    "the name of a workflow is 1 to 40 characters of a-z, 0-9 and -, starting with a letter, and it is " +
      `${JSON.stringify(name)}: give another one with --name`,
  );
}

/** What the user can type next. */
export function nextCommands({ directory, packageManager, startScript }: InitReport, isInstalled: boolean) {
  const folder = relative(process.cwd(), directory);
  const run = startScript === "start" ? `${packageManager} start` : `${packageManager} run ${startScript}`;
  return [...(folder === "" ? [] : [`cd ${folder}`]), ...(isInstalled ? [] : [`${packageManager} install`]), run];
}
