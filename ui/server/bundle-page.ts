import { fileURLToPath } from "node:url";
import { build, type Metafile } from "esbuild";
import type { Assets } from "./assets.ts";

export interface BundledPage extends Assets {
  /** Which files are in the bundle. Their paths begin at the root of the repository. */
  readonly metafile: Metafile;
}

/** Bundles the page. A user never needs this: the published package has the result. */
export async function bundlePage(): Promise<BundledPage> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: fileURLToPath(new URL("../..", import.meta.url)),
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
    // The published package has a file with the licences.
    legalComments: "none",
    metafile: true,
  });
  const textOf = (extension: string) => outputFiles.find(({ path }) => path.endsWith(extension))?.text ?? "";
  return { script: textOf(".js"), style: textOf(".css"), metafile };
}
