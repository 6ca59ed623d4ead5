import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Metafile } from "esbuild";

const LICENCE = /^(licen[cs]e|copying)(\.|$)/i;

/**
 * The text of a file with the licence of each package whose code is in bundles. Their licences ask for it.
 *
 * @param root The directory in which the bundles were made.
 */
export function licencesOf(bundles: readonly Metafile[], root: string): string {
  const inputs = bundles.flatMap(({ outputs }) =>
    Object.values(outputs).flatMap((output) => Object.keys(output.inputs)),
  );
  const folders = inputs.flatMap((input) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0] ?? []);
  const texts = [...new Set(folders)].toSorted().map((folder) => {
    const path = join(root, folder);
    const { name, version, license, author } = JSON.parse(readFileSync(join(path, "package.json"), "utf8"));
    const file = readdirSync(path).find((each) => LICENCE.test(each));
    const by = typeof author === "string" ? author : (author?.name ?? name);
    const text = file === undefined ? `${license}, by ${by}` : readFileSync(join(path, file), "utf8").trim();
    return `${name} ${version}\n\n${text}\n`;
  });
  // A package can be installed under two names.
  const distinct = [...new Set(texts)];
  return `The files in this directory contain these packages.\n\n${distinct.join(`\n${"-".repeat(80)}\n\n`)}`;
}
