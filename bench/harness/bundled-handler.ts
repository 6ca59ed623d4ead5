import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { SQSBatchResponse, SQSEvent } from "aws-lambda";
import { build, type Plugin } from "esbuild";
import { bundleOptions } from "../../infra/bundling.ts";

export type Handler = (event: SQSEvent, context: unknown) => Promise<SQSBatchResponse>;

const pathOf = (file: string) => fileURLToPath(new URL(`../../${file}`, import.meta.url));

/**
 * Bundles a handler as it is deployed, and loads it into this process.
 *
 * @param services What takes the place of `functions/function-services.ts`.
 */
export async function bundledHandler(entry: string, directory: string, services?: string): Promise<Handler> {
  const outfile = join(directory, "handler.mjs");
  const replaceServices: Plugin = {
    name: "services",
    setup({ onResolve }) {
      if (services === undefined) return;
      onResolve({ filter: /^\.\/function-services\.ts$/ }, () => ({ path: pathOf(services) }));
    },
  };
  await build({
    ...bundleOptions(pathOf("bench/workflows/noop.ts")),
    plugins: [replaceServices],
    entryPoints: [pathOf(entry)],
    outfile,
  });
  const { handler } = (await import(pathToFileURL(outfile).href)) as { handler: Handler };
  return handler;
}
