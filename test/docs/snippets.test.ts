import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";
import { type Block, blocksOf, type Page, page, pagesIn, ROOT } from "../helpers/pages.ts";

const run = promisify(execFile);

/** What the snippets use of packages that a reader's project has and this one has not. */
const FOREIGN = `
declare module "@aws-sdk/client-ssm" {
  export class GetParameterCommand { constructor(input: { Name: string; WithDecryption?: boolean }); }
  export class SSMClient { send(command: GetParameterCommand): Promise<{ Parameter?: { Value?: string } }>; }
}
declare module "pg" {
  export class Pool {
    constructor(options?: { max?: number });
    query(text: string, values?: readonly unknown[]): Promise<{ rows: any[] }>;
  }
}
`;

const PRELUDE = `
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import * as z from "zod";
import {
  checkResponse, cursorField, defineWorkflow, dynamoDbScan, fileLines, httpPages, items, lastItem, linkHeader, nextUrl, offsetLimit,
  pageNumber, parseJson, PermanentError, postgresRows, RetryLater, s3Lines, s3Objects, singlePage, sqliteRows, Throttled,
  type Workflow,
} from "sluice";
declare const rows: readonly { id: number }[];
declare function page(cursor: unknown, options: { signal: AbortSignal }): Promise<{ rows: object[]; next?: string }>;
declare function send(message: unknown): Promise<void>;
`;

/** What a snippet of the CDK uses without declaring it. */
const CDK_PRELUDE = `
import { resolve } from "node:path";
import type { Workflow } from "sluice";
import type { Construct } from "constructs";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import type { DatabaseInstance } from "aws-cdk-lib/aws-rds";
import type { Bucket } from "aws-cdk-lib/aws-s3";
declare const invoices: Workflow;
declare const alarmTopic: ITopic;
declare const bucket: Bucket;
declare const database: DatabaseInstance;
`;

/**
 * A snippet as a module of its own. A whole module stays as it is. Options of a workflow become part of one, and a method
 * `readPage` becomes a source of one.
 */
function toModule(code: string): { readonly text: string; readonly linesBefore: number } {
  const around = (before: string, after: string) => ({
    text: `${before}${code}${after}`,
    linesBefore: before.split("\n").length - 1,
  });
  const first = code.split("\n").find((line) => line.trim() !== "" && !line.startsWith("//")) ?? "";
  if (/^(async )?readPage\(/.test(first))
    return around(`${PRELUDE}export const source = toOptions({ source: {\n`, `} });${END}`);
  if (/^\w+:/.test(first)) return around(`${PRELUDE}export const options = toOptions({\n`, `});${END}`);
  if (code.includes("new FanOut(this")) {
    const [imports = "", rest = ""] = [code.match(/^(import .+\n)+/)?.[0], code.replace(/^(import .+\n)+/, "")];
    const before = `${imports}${CDK_PRELUDE}export function build(this: Construct) {\n`;
    return { text: `${before}${rest}}\n`, linesBefore: before.split("\n").length - 1 - imports.split("\n").length + 1 };
  }
  return around("", /^(import|export) /m.test(code) ? "" : "\nexport {};\n");
}

/** Options of a workflow, whatever else it has. */
const END = `
function toOptions(options: Partial<Parameters<typeof defineWorkflow<any, any>>[0]>) {
  return options;
}
`;

let directory: string | undefined;
afterEach(() => {
  if (directory !== undefined) rmSync(directory, { recursive: true });
  directory = undefined;
});

/** The errors of the TypeScript snippets of pages, each with its page and line. */
async function typeErrors(pages: readonly Page[]): Promise<readonly string[]> {
  const into = mkdtempSync(join(tmpdir(), "sluice-snippets-"));
  directory = into;
  symlinkSync(join(ROOT, "node_modules"), join(into, "node_modules"));
  const places = new Map<string, { readonly path: string; readonly line: number }>();
  for (const each of pages) {
    for (const block of blocksOf(each).filter(({ language }) => language === "ts")) write(each, block);
  }
  writeFileSync(join(into, "foreign.d.ts"), FOREIGN);
  copyFileSync(join(ROOT, "types/pg.d.ts"), join(into, "pg.d.ts"));
  const { compilerOptions } = {
    compilerOptions: {
      module: "nodenext",
      target: "es2025",
      lib: ["es2025", "esnext.disposable"],
      types: ["node"],
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      allowImportingTsExtensions: true,
      paths: {
        sluice: [join(ROOT, "shared/index.ts")],
        "sluice/infra": [join(ROOT, "infra/index.ts")],
        "sluice/testing": [join(ROOT, "shared/testing/index.ts")],
      },
    },
  };
  writeFileSync(join(into, "package.json"), '{ "type": "module" }');
  writeFileSync(join(into, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["."] }));
  const tsc = join(ROOT, "node_modules/.bin/tsc");
  const { stdout } = await run(tsc, ["--project", into, "--pretty", "false"], { cwd: into }).catch((error) => error);
  return [...String(stdout).matchAll(/^(\S+?)\((\d+),\d+\): (error .+)$/gm)].map(([, file = "", line, message]) => {
    const place = places.get(file);
    return place === undefined ? `${file}: ${message}` : `${place.path}:${place.line + Number(line)}: ${message}`;
  });

  function write({ path }: Page, { code, line }: Block): void {
    const { text, linesBefore } = toModule(code);
    // A snippet that names its file is there, so that others can import it.
    const named = /^\/\/ (\S+\.ts)\n/.exec(code)?.[1];
    const folder = path.replaceAll(/\W/g, "-");
    const file = `${folder}/${named ?? `line-${line}.ts`}`;
    places.set(file, { path, line: line - 1 - linesBefore });
    mkdirSync(dirname(join(into, file)), { recursive: true });
    writeFileSync(join(into, file), text);
  }
}

test("every TypeScript snippet of the README and of the guides type-checks", async () => {
  const pages = [page("README.md"), ...pagesIn("docs/guides")];
  expect(pages.flatMap(blocksOf).filter(({ language }) => language === "ts").length).toBeGreaterThan(20);
  const wrong = "intro\n\n```ts\nconcurrency: 10,\ntimeout: 5,\n```\n";
  const errors = await typeErrors([...pages, { path: "wrong.md", text: wrong }]);
  // The last page shows that a wrong snippet is found, at its line.
  expect(errors).toEqual([expect.stringMatching(/^wrong\.md:5: error TS2559: /)]);
});
