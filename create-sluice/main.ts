import { createRequire } from "node:module";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { InitError } from "./init-error.ts";
import { runInit } from "./run-init.ts";
import { SOURCE_KINDS } from "./sources/sources.ts";

const HELP = `Usage: npm create sluice [folder] -- [options]

Writes a project with a Sluice workflow: the workflow, sample data, a test and a CDK app.

Options:
  --source <kind>   where the items come from: ${SOURCE_KINDS.map(({ id }) => id).join(", ")}
  --file <csv>      your own CSV file, with --source csv
  --name <name>     the name of the workflow
  --yes             ask nothing, and keep files that exist
  --install         install the packages (--no-install: do not)
  --library <spec>  the version of Sluice, or the path of its tarball
`;

/** Runs `create-sluice`. Returns the exit code. */
export async function createCommand(words: readonly string[]): Promise<number> {
  try {
    const { values, positionals } = parse(words);
    if (values.help === true) {
      console.log(HELP);
      return 0;
    }
    if (positionals.length > 1) throw new InitError(`give one folder, and not ${positionals.join(" and ")}`);
    return await runInit({ ...values, folder: positionals[0] }, library(values.library));
  } catch (error) {
    if (!(error instanceof InitError)) throw error;
    console.error(`error: ${error.message}`);
    return 1;
  }
}

function parse(words: readonly string[]) {
  try {
    return parseArgs({
      args: [...words],
      allowPositionals: true,
      allowNegative: true,
      options: {
        source: { type: "string" },
        file: { type: "string" },
        name: { type: "string" },
        yes: { type: "boolean", short: "y" },
        install: { type: "boolean" },
        library: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (thrown) {
    throw new InitError(`${(thrown as Error).message} (see: npm create sluice -- --help)`);
  }
}

/** By default, the version of Sluice that was published with this package. */
function library(spec: string | undefined): string {
  if (spec === undefined) {
    const { version }: { readonly version: string } = createRequire(import.meta.url)("create-sluice/package.json");
    return `^${version}`;
  }
  return spec.endsWith(".tgz") ? `file:${resolve(spec)}` : spec;
}
