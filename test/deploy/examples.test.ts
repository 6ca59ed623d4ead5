import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, inject, test } from "vitest";
import { type Ended, Project } from "./project.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const workspace = inject("workspace");
const postcodes = new Project(join(workspace, "postcodes"), {});
const thumbnails = new Project(join(workspace, "thumbnails"), {});

const succeeded = ({ code, stdout, stderr }: Ended) => {
  expect(code, `${stdout}\n${stderr}`).toBe(0);
  return stdout;
};

const manifestOf = (name: string) => JSON.parse(readFileSync(join(root, "examples", name, "package.json"), "utf8"));

beforeAll(async () => {
  for (const { path } of [postcodes, thumbnails]) {
    cpSync(join(root, "examples", basename(path)), path, { recursive: true });
  }
  // It installs the packed library with the versions of the checkout, and writes a package.json of its own.
  await postcodes.install();
  await thumbnails.take(postcodes, { sharp: manifestOf("thumbnails").dependencies.sharp });
  for (const { path } of [postcodes, thumbnails]) {
    const file = join(path, "package.json");
    const installed = JSON.parse(readFileSync(file, "utf8"));
    writeFileSync(file, JSON.stringify({ ...installed, scripts: manifestOf(basename(path)).scripts }));
  }
});

test("postcodes: the tests of the example pass", async () => {
  expect(succeeded(await postcodes.type("npm", "test"))).toMatch(/pass 3$/m);
});

test("postcodes: a run ends as its README says, and its results are a CSV file", async () => {
  const { code, stdout, stderr } = await postcodes.type("npx", "sluice", "run", "postcodes", "--json");
  expect(code, stderr).toBe(2);
  const summary = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
  expect(summary).toMatchObject({ produced: 60, succeeded: 58, dead: 2 });
  succeeded(await postcodes.type("npx", "sluice", "results", "--format", "csv", "--output", "postcodes.csv"));
  const lines = readFileSync(join(postcodes.path, "postcodes.csv"), "utf8").trim().split("\n");
  expect(lines.length).toBe(59);
  expect(lines[0]).toContain("postcode");
});

test("thumbnails: the tests of the example pass", async () => {
  expect(succeeded(await thumbnails.type("npm", "test"))).toMatch(/pass 3$/m);
});

test("thumbnails: a run stores the thumbnails, as its README says", async () => {
  const { code, stdout, stderr } = await thumbnails.type("npx", "sluice", "run", "thumbnails", "--json");
  expect(code, stderr).toBe(2);
  const summary = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
  expect(summary).toMatchObject({ produced: 10, succeeded: 8, dead: 2, retried: 0 });
  const stored = readdirSync(join(thumbnails.path, "thumbnails"));
  expect(stored.sort()).toEqual(Array.from({ length: 8 }, (_, index) => `0${index + 1}.webp`));
  // Every WebP file begins with RIFF, its length and WEBP: https://developers.google.com/speed/webp/docs/riff_container
  for (const name of stored) {
    const bytes = readFileSync(join(thumbnails.path, "thumbnails", name));
    expect(bytes.toString("latin1", 0, 4) + bytes.toString("latin1", 8, 12)).toBe("RIFFWEBP");
  }
});

test("thumbnails: the stack contains sharp for Lambda's arm64", async () => {
  // The app writes the stack by itself. The command line of the CDK would only take more CPU time.
  const urls = ["IMAGES_URL=https://images.example.com", "THUMBNAILS_URL=https://thumbnails.example.com"];
  succeeded(await thumbnails.type("env", "CDK_OUTDIR=cdk.out", ...urls, "node", "app.ts"));
  const out = join(thumbnails.path, "cdk.out");
  const template = JSON.parse(readFileSync(join(out, "thumbnails.template.json"), "utf8"));
  const functions = Object.values<{ Type: string; Properties: { Architectures?: readonly string[] } }>(
    template.Resources,
  ).filter(({ Properties }) => Properties?.Architectures !== undefined);
  expect(functions.map(({ Properties }) => Properties.Architectures)).toEqual([["arm64"], ["arm64"]]);
  const native = readdirSync(out, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".node"));
  expect(native.length).toBeGreaterThan(0);
  for (const file of native) expect(file).toContain("sharp-linux-arm64");
});
