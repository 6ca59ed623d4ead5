import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Assets } from "./assets.ts";

/** Bundles the page. A user never needs this: the published package has the result. */
export async function bundlePage(): Promise<Assets> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("../page/page.tsx", import.meta.url))],
    bundle: true,
    minify: true,
    write: false,
    outdir: "page",
    format: "esm",
    target: ["chrome120", "firefox121", "safari17.2"],
    jsx: "automatic",
    jsxImportSource: "preact",
    define: { "process.env.NODE_ENV": '"production"' },
    logLevel: "silent",
    legalComments: "none",
  });
  const textOf = (extension: string) => outputFiles.find(({ path }) => path.endsWith(extension))?.text ?? "";
  return { script: textOf(".js"), style: textOf(".css") };
}

/** `node ui/server/bundle-page.ts dist/ui/page` writes the page into a directory. */
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , directory = "dist/ui/page"] = process.argv;
  const { script, style } = await bundlePage();
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "page.js"), script);
  await writeFile(join(directory, "page.css"), style);
}
