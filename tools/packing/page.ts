import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundlePage } from "../../ui/server/bundle-page.ts";
import { licencesOf } from "./licences.ts";

/**
 * Writes the page of the dashboard into a directory, with the licences of the packages that it contains.
 *
 * @param root The repository, in which the packages are installed.
 */
export async function packPage(directory: string, root: string): Promise<void> {
  const { script, style, metafile } = await bundlePage();
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "page.js"), script);
  writeFileSync(join(directory, "page.css"), style);
  writeFileSync(join(directory, "LICENSES.txt"), licencesOf([metafile], root));
}
