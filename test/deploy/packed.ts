import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Ended, Project } from "./project.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const INSTALL = ["install", "--prefer-offline", "--no-audit", "--no-fund"];

/** Where the packed packages are, and a project that has everything installed. */
export interface Packed {
  /** A folder of the name of the repository, with both tarballs. */
  readonly repository: string;
  /** The command `create-sluice` of the tarball. */
  readonly createSluice: string;
  /** The `node_modules` of a project that `create-sluice` wrote. */
  readonly modules: string;
}

/** Packs both packages, and installs a project that `create-sluice` writes. The test files share one such project. */
export async function packed(workspace: string): Promise<Packed> {
  const repository = join(workspace, "sluice");
  const tool = new Project(join(workspace, "tool"), {});
  const first = new Project(join(workspace, "created/csv"), {});
  const createSluice = join(tool.path, "node_modules/.bin/create-sluice");
  const modules = join(first.path, "node_modules");
  if (existsSync(modules)) return { repository, createSluice, modules };
  mkdirSync(repository);
  for (const words of [[], ["--workspace", "create-sluice"]]) {
    succeeded(await new Project(root, {}).type("npm", "pack", ...words, "--pack-destination", repository));
  }
  const tarball = (name: string) => join(repository, `${name}-0.1.0.tgz`);
  new Project(tool.path, { "package.json": '{ "private": true }' });
  succeeded(await tool.type("npm", ...INSTALL, tarball("create-sluice")));
  mkdirSync(first.path, { recursive: true });
  const words = ["--source", "csv", "--yes", "--library", tarball("sluice")];
  succeeded(await first.type(createSluice, ".", ...words));
  succeeded(await first.type("npm", ...INSTALL));
  return { repository, createSluice, modules };
}

/** What a command printed. Throws if it failed. */
export function succeeded({ code, stdout, stderr }: Ended): string {
  if (code !== 0) throw new Error(`exit code ${code}\n${stdout}\n${stderr}`);
  return stdout;
}
