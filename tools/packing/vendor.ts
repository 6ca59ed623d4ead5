import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { build, type Plugin } from "esbuild";
import { BANNER } from "../../shared/bundling/build-options.ts";
import { filesIn } from "./files.ts";
import { importsOf, namesImported, withImports } from "./imports.ts";
import { licencesOf } from "./licences.ts";
import { IN_FUNCTIONS, INSTALLED, packageOf, VENDORED } from "./vendored.ts";

/** A module of a vendored package, by its name as the library imports it: `csv-parse/sync`. */
type Specifier = string;

const fileOf = (specifier: Specifier): string => `${specifier.replaceAll(/[@/]/g, "-").replace(/^-/, "")}.js`;

/**
 * Bundles the vendored packages into `vendor/` of a directory of JavaScript, and lets its modules import the bundles.
 *
 * @param directory The output of `tsc`.
 * @param root The repository, in which the packages are installed.
 */
export async function vendor(directory: string, root: string): Promise<void> {
  const files = filesIn(directory).filter((file) => file.endsWith(".js"));
  const texts = files.map((file) => readFileSync(file, "utf8"));
  const isVendored = (specifier: string) => VENDORED.includes(packageOf(specifier));
  const specifiers = new Set(texts.flatMap((text) => importsOf(text).filter(isVendored)));
  const output = join(directory, "vendor");
  const inFunctions = (specifier: Specifier) => IN_FUNCTIONS.includes(packageOf(specifier));
  const used = [
    // A second bundling does not expect the variables of the banner.
    await bundle([...specifiers].filter(inFunctions), { texts, output: join(output, "functions"), root, banner: "" }),
    await bundle(
      [...specifiers].filter((each) => !inFunctions(each)),
      { texts, output, root, banner: BANNER },
    ),
  ];
  writeFileSync(join(output, "LICENSES.txt"), licencesOf(used, root));
  for (const file of files) {
    const text = readFileSync(file, "utf8");
    const changed = withImports(text, (specifier) => {
      if (!isVendored(specifier)) return undefined;
      const target = join(output, inFunctions(specifier) ? "functions" : "", fileOf(specifier));
      const path = relative(dirname(file), target).split(sep).join("/");
      return path.startsWith(".") ? path : `./${path}`;
    });
    if (changed !== text) writeFileSync(file, changed);
  }
}

interface BundleOptions {
  /** The modules of the library, which import names from the packages. */
  readonly texts: readonly string[];
  readonly output: string;
  readonly root: string;
  readonly banner: string;
}

/** Bundles modules, each with a file of its own. Returns what is in the bundles. */
async function bundle(specifiers: readonly Specifier[], { texts, output, root, banner }: BundleOptions) {
  mkdirSync(output, { recursive: true });
  const { metafile } = await build({
    entryPoints: specifiers.map((specifier) => ({
      in: `${ENTRY}${specifier}`,
      out: fileOf(specifier).slice(0, -".js".length),
    })),
    plugins: [namedExports(texts, root), dynaliteActions],
    bundle: true,
    splitting: true,
    metafile: true,
    outdir: output,
    absWorkingDir: root,
    platform: "node",
    format: "esm",
    target: "node22",
    mainFields: ["module", "main"],
    external: [...INSTALLED],
    banner: { js: banner },
    // The file with the licences has all of them.
    legalComments: "none",
    logLevel: "warning",
  });
  return metafile;
}

const ENTRY = "vendored:";

/**
 * Entries that export the names that the library imports. esbuild's bundle of a CommonJS module would have a default export
 * only, but the library imports names from it, as Node allows.
 */
const namedExports = (texts: readonly string[], root: string): Plugin => ({
  name: "named exports",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^vendored:/ }, ({ path }) => ({ path: path.slice(ENTRY.length), namespace: "vendored" }));
    onLoad({ filter: /.*/, namespace: "vendored" }, async ({ path }) => {
      const imported = texts.filter((text) => importsOf(text).includes(path)).map((text) => namesImported(text, path));
      const all = imported.includes(undefined) ? Object.keys(await import(path)) : imported.flat();
      // Node adds names that are no identifiers, such as "module.exports".
      const names = [...new Set(all)].filter((name) => name !== undefined && /^[\w$]+$/.test(name)).toSorted();
      return { contents: `export { ${names.join(", ")} } from ${JSON.stringify(path)};`, resolveDir: root };
    });
  },
});

/**
 * dynalite requires its actions by their names without the extension. esbuild finds such files, but only under their whole
 * names. https://esbuild.github.io/api/#glob
 */
const dynaliteActions: Plugin = {
  name: "actions of dynalite",
  setup({ onLoad }) {
    onLoad({ filter: /node_modules[\\/]dynalite[\\/]index\.js$/ }, ({ path }) => {
      const text = readFileSync(path, "utf8");
      const contents = text.replaceAll(/(require\('\.\/\w+\/' \+ action)\)/g, "$1 + '.js')");
      if (contents === text) throw new Error(`${path} has changed: how does it load its actions?`);
      return { contents };
    });
  },
};
