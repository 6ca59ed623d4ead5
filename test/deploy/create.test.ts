import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, inject, test } from "vitest";
import { packed, succeeded } from "./packed.ts";
import { Project } from "./project.ts";

const workspace = inject("workspace");
const home = new Project(join(workspace, "created"), { "cjs/package.json": '{ "name": "cjs", "type": "commonjs" }' });

/** The words between `create-sluice` and the path of the tarball of Sluice. `packed` has written the project `csv`. */
const PROJECTS = {
  api: ["api", "--source", "api"],
  code: ["code", "--source", "code"],
  cjs: ["cjs", "--source", "csv"],
} as const;

beforeAll(async () => {
  const { createSluice, repository, modules } = await packed(workspace);
  const library = join(repository, "sluice-0.1.0.tgz");
  for (const [name, words] of Object.entries(PROJECTS)) {
    succeeded(await home.type(createSluice, ...words, "--yes", "--library", library));
    // The projects need the same packages.
    succeeded(await home.type("cp", "-al", modules, join(name, "node_modules")));
  }
});

describe.each(["csv", ...Object.keys(PROJECTS)])("what create-sluice wrote for %s", (name) => {
  const project = () => new Project(join(home.path, name), {});

  test("compiles, and its tests pass", async () => {
    succeeded(await project().type("npm", "run", "check"));
    expect(succeeded(await project().type("npm", "test"))).toMatch(/fail 0/);
  });

  test("runs, and every item succeeds", async () => {
    expect(succeeded(await project().type("npm", "start"))).toMatch(/^Completed, every item succeeded/m);
  });

  test("is synthesised", async () => {
    // The pasted snippets of the tutorial go through the command line of the CDK. Without it, the app takes less CPU time.
    const { app }: { app: string } = JSON.parse(readFileSync(join(project().path, "cdk.json"), "utf8"));
    succeeded(await project().type("env", "CDK_OUTDIR=cdk.out", ...app.split(" ")));
    const { artifacts } = JSON.parse(readFileSync(join(project().path, "cdk.out/manifest.json"), "utf8"));
    expect(Object.values<{ type: string }>(artifacts).map(({ type }) => type)).toContain("aws:cloudformation:stack");
  });
});
