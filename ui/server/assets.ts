import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/** The files of the page. */
export interface Assets {
  readonly script: string;
  readonly style: string;
}

/** The page without its scripts. Nothing in it is inline, so the content security policy needs no exception. */
export const HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Sluice</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/page.css">
</head>
<body>
<div id="page"></div>
<noscript>The dashboard needs JavaScript. On the command line, npx sluice status shows the same.</noscript>
<script type="module" src="/page.js"></script>
</body>
</html>
`;

/** Loads the page: the published package has it, and a checkout bundles it. */
export async function loadAssets(): Promise<Assets> {
  if (import.meta.url.endsWith(".ts")) {
    const { bundlePage } = await import("./bundle-page.ts");
    return await bundlePage();
  }
  const read = (name: string) => readFile(fileURLToPath(new URL(`../page/${name}`, import.meta.url)), "utf8");
  const [script, style] = await Promise.all([read("page.js"), read("page.css")]);
  return { script, style };
}
