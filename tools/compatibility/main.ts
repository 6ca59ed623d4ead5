import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { COMBINATIONS } from "./combinations.ts";
import { pageOf } from "./page.ts";
import { type WalkResult, walk } from "./walk.ts";

// `npm run compatibility` walks with every combination of Node and package manager, one after the other, and writes
// docs/compatibility.md after each. A command that was interrupted continues with the next combination.
//
// `npm run compatibility 24-npm 22-pnpm` walks with these two again, with the tarballs of the last time.
// `npm run compatibility -- --fresh` packs the packages again, and forgets all results.

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const STATE = join(ROOT, ".sluice/compatibility");
const words = process.argv.slice(2);
const isFresh = words.includes("--fresh");
const wanted = words.filter((word) => word !== "--fresh");

const unknown = wanted.filter((word) => !COMBINATIONS.some(({ name }) => name === word));
if (unknown.length > 0) {
  const names = COMBINATIONS.map(({ name }) => name).join(", ");
  console.error(`no combination is called ${unknown.join(" or ")}: name some of ${names}`);
  process.exit(1);
}

if (isFresh)
  for (const folder of ["results", "logs", "tarballs"]) rmSync(join(STATE, folder), { recursive: true, force: true });
for (const folder of ["results", "logs", "tarballs"]) mkdirSync(join(STATE, folder), { recursive: true });
const tarballs = {
  sluice: join(STATE, "tarballs/sluice-0.1.0.tgz"),
  create: join(STATE, "tarballs/create-sluice-0.1.0.tgz"),
};
if (!existsSync(tarballs.sluice) || !existsSync(tarballs.create)) {
  for (const workspace of [[], ["--workspace", "create-sluice"]]) {
    execFileSync("npm", ["pack", ...workspace, "--pack-destination", join(STATE, "tarballs")], {
      cwd: ROOT,
      stdio: "ignore",
    });
  }
}

const fileOf = (name: string) => join(STATE, "results", `${name}.json`);
const resultOf = (name: string): WalkResult | undefined =>
  existsSync(fileOf(name)) ? JSON.parse(readFileSync(fileOf(name), "utf8")) : undefined;

for (const combination of COMBINATIONS) {
  const { name } = combination;
  if (wanted.length === 0 ? resultOf(name) !== undefined : !wanted.includes(name)) continue;
  const log = join(STATE, "logs", `${name}.log`);
  // Outside of this repository: in it, `create-sluice` would find a workspace and a lockfile of npm.
  const directory = join(tmpdir(), "sluice-compatibility", name);
  for (const path of [log, directory]) rmSync(path, { recursive: true, force: true });
  console.log(`${name}: walks (log: ${log})`);
  const result = await walk(combination, { directory, tarballs, cache: join(STATE, "cache"), log });
  // The result is there only when the walk has ended, so an interrupted walk is repeated.
  writeFileSync(fileOf(name), `${JSON.stringify(result, undefined, 2)}\n`);
  const failed = result.steps.find(({ problem }) => problem !== undefined);
  console.log(failed === undefined ? `${name}: succeeded` : `${name}: ${failed.step} failed\n${failed.problem}`);
  if (failed !== undefined) process.exitCode = 1;
  writePage();
  // What failed stays, to be looked at.
  if (failed === undefined) rmSync(directory, { recursive: true, force: true });
}
writePage();

function writePage(): void {
  writeFileSync(join(ROOT, "docs/compatibility.md"), pageOf(COMBINATIONS.map((each) => [each, resultOf(each.name)])));
}
