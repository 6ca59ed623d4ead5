import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { App, Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { expect, test } from "vitest";
import type { FanOutProps } from "../../infra/fan-out.ts";
import { importWorkflow } from "../../shared/bundling/load-workflow.ts";
import { temporaryDirectory } from "../helpers/test-engine.ts";
import { fanOutIn } from "./synthesis.ts";

const ROOT = join(import.meta.dirname, "../..");

/** A native package that the repository itself installs, with binaries for several platforms. */
const NATIVE = "classic-level";

const workflowWith = (bundling: string, more = "") => `
import { ClassicLevel } from ${JSON.stringify(NATIVE)};
${more}
import { defineWorkflow, items } from ${JSON.stringify(join(ROOT, "shared/index.ts"))};
export default defineWorkflow({
  name: "native", source: items([1]), task: () => typeof ClassicLevel, concurrency: 2, ${bundling}
});`;

/** Synthesises a stack of a workflow in a project that has the native package, and returns the output directory. */
async function synthesise(path: string, code: string, props: Partial<FanOutProps> = {}) {
  const file = join(path, "workflows/native.ts");
  mkdirSync(dirname(file), { recursive: true });
  mkdirSync(join(path, "node_modules"), { recursive: true });
  if (!existsSync(join(path, "node_modules", NATIVE))) {
    symlinkSync(join(ROOT, "node_modules", NATIVE), join(path, "node_modules", NATIVE));
  }
  writeFileSync(join(path, "workflows/query.sql"), "select 1");
  writeFileSync(file, code);
  const app = new App({ outdir: join(path, "cdk.out"), context: { "aws:cdk:bundling-stacks": ["**"] } });
  const stack = new Stack(app, "Native");
  fanOutIn(stack, { workflow: await importWorkflow(file), workflowFile: file, ...props });
  app.synth();
  return { template: Template.fromStack(stack), outdir: app.outdir };
}

test("synth refuses a bundle with native code, and says what to add", async () => {
  using directory = temporaryDirectory();
  await expect(synthesise(directory.path, workflowWith(""))).rejects.toThrow(
    /native\.ts imports classic-level with native code, a \.node file.*Add to the workflow: bundling: \{ external: \["classic-level"\] \}/,
  );
});

test("an external package is installed into the asset for Lambda's platform, in the version that is installed here", async () => {
  using directory = temporaryDirectory();
  const external = `bundling: { external: ["${NATIVE}"], architecture: "x86_64", define: { FLAG: '"on"' }, loader: { ".sql": "text" } }`;
  const code = workflowWith(external, 'import query from "./query.sql"; declare const FLAG: string;').replace(
    "typeof ClassicLevel",
    "[typeof ClassicLevel, query, FLAG]",
  );
  const { template, outdir } = await synthesise(directory.path, code);
  template.allResourcesProperties("AWS::Lambda::Function", { Architectures: ["x86_64"] });
  const assets = readdirSync(outdir).filter((name) => name.startsWith("asset."));
  expect(assets.length).toBe(2);
  for (const asset of assets) {
    const version = (root: string) =>
      JSON.parse(readFileSync(join(root, "node_modules", NATIVE, "package.json"), "utf8")).version;
    expect(version(join(outdir, asset))).toBe(version(ROOT));
    expect(readdirSync(join(outdir, asset, "node_modules", NATIVE, "prebuilds"))).toContain("linux-x64");
    const bundle = readFileSync(join(outdir, asset, "index.mjs"), "utf8");
    expect(bundle).toMatch(/from"classic-level"/);
    expect(bundle).toContain("select 1");
  }
});

test("a package of a layer is neither bundled nor installed", async () => {
  using directory = temporaryDirectory();
  const arn = "arn:aws:lambda:eu-central-1:123456789012:layer:level:3";
  const bundling = { layers: [{ arn, packages: [NATIVE] }] };
  const { template, outdir } = await synthesise(directory.path, workflowWith(""), { bundling });
  template.allResourcesProperties("AWS::Lambda::Function", { Layers: [arn], Architectures: ["arm64"] });
  for (const asset of readdirSync(outdir).filter((name) => name.startsWith("asset."))) {
    expect(existsSync(join(outdir, asset, "node_modules"))).toBe(false);
  }
});
