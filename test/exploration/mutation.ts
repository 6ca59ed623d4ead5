import { registerHooks } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Exploration } from "./explore.ts";
import { changeMarked, productMarkers } from "./markers.ts";
import type { Mutant } from "./mutants.ts";
import { scopeCalled } from "./scopes.ts";

const ROOT = pathToFileURL(fileURLToPath(new URL("../..", import.meta.url))).href;
const isOurs = (url: string) => url.startsWith(ROOT) && !url.includes("/node_modules/");

/**
 * Explores the product's code with a mistake in it. The mistake is made while the modules are loaded: this process gets
 * a second copy of all our modules, and those of `node_modules` are shared. No file is changed.
 */
export async function exploreMutant({ name, change, scope }: Mutant): Promise<Exploration> {
  const file = productMarkers().find(({ mutant }) => mutant === name)?.file;
  if (file === undefined) throw new Error(`no line "// mutant: ${name}" is in shared/`);
  const mutated = pathToFileURL(file).href;
  const query = `?mutant=${name}`;
  const hooks = registerHooks({
    resolve(specifier, context, nextResolve) {
      const resolved = nextResolve(specifier, context);
      const isCopy = context.parentURL?.endsWith(query) && isOurs(resolved.url) && !resolved.url.endsWith(query);
      return isCopy ? { ...resolved, url: resolved.url + query } : resolved;
    },
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (url !== mutated + query) return loaded;
      return { ...loaded, source: changeMarked(String(loaded.source), name, change) };
    },
  });
  try {
    const { explore } = (await import(`./explore.ts${query}`)) as typeof import("./explore.ts");
    return await explore(scopeCalled(scope));
  } finally {
    hooks.deregister();
  }
}
