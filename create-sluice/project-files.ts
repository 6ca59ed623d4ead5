import type { Manifest } from "./package-manifest.ts";
import type { SourceKind, TemplateOptions } from "./source-kind.ts";

const TSCONFIG = {
  compilerOptions: {
    module: "nodenext",
    target: "es2024",
    strict: true,
    noUncheckedIndexedAccess: true,
    allowImportingTsExtensions: true,
    erasableSyntaxOnly: true,
    verbatimModuleSyntax: true,
    skipLibCheck: true,
    noEmit: true,
    types: ["node"],
  },
  exclude: ["node_modules", "cdk.out", ".sluice"],
};

/** The lines of `.gitignore`: what commands write, and secrets. */
export const IGNORED = ["node_modules/", ".sluice/", "cdk.out/", ".env"];

export interface ProjectFiles {
  /** The content of each file, by its path relative to the project. */
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  readonly scripts: Readonly<Record<string, string>>;
}

/**
 * The files of a project with one workflow, except `package.json` and `.gitignore`.
 *
 * @param manifest The project's `package.json` before it is changed.
 */
export function projectFiles(kind: SourceKind, options: TemplateOptions, { type }: Manifest): ProjectFiles {
  const { name } = options;
  const { files, test } = kind.write(options);
  // In a project of CommonJS modules, `.mts` files are ES modules all the same, and so is all of `workflows/`.
  // https://nodejs.org/api/packages.html#type
  const isEsm = type === "module";
  const extension = isEsm ? "ts" : "mts";
  const app = `app.${extension}`;
  return {
    files: {
      ...files,
      ...(!isEsm && { "workflows/package.json": json({ type: "module" }) }),
      [`test/${name}.test.${extension}`]: testFile(name, test),
      [app]: APP,
      "cdk.json": json({ app: `node ${app}` }),
      "tsconfig.json": json(TSCONFIG),
    },
    scripts: {
      start: `sluice run ${name}`,
      dev: `sluice dev ${name}`,
      test: "node --test",
      check: "tsc",
      synth: "cdk synth --quiet",
      deploy: `cdk deploy ${name}`,
    },
  };
}

const APP = `import { App } from "aws-cdk-lib";
import { addWorkflowStacks } from "sluice/infra";

// One stack for each workflow in workflows/.
await addWorkflowStacks(new App());
`;

function testFile(name: string, test: string): string {
  const used = ["runTask", "runWorkflow"].filter((each) => test.includes(`${each}(`));
  return `import assert from "node:assert/strict";
import { test } from "node:test";
import { ${used.join(", ")} } from "sluice/testing";
import workflow from "../workflows/${name}.ts";

${test}`;
}

export function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
