import { registerHooks } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type Exploration, explore } from "./explore.ts";
import { changeMarked, productMarkers } from "./markers.ts";
import type { Mutant } from "./mutants.ts";
import type { Scope } from "./scope.ts";
import { scopeCalled } from "./scopes.ts";
import { SIZES_URL, withSizes } from "./sizes.ts";

const ROOT = pathToFileURL(fileURLToPath(new URL("../..", import.meta.url))).href;
const isOurs = (url: string) => url.startsWith(ROOT) && !url.includes("/node_modules/");

/** Changes the source of a module. */
type Change = (source: string) => string;

/** Explores a scope. If it has blocks of another size than the product's, the sizes are changed while the modules are loaded. */
export async function exploreScope(scope: Scope): Promise<Exploration> {
  const changes = changesOf(scope);
  return changes.size === 0 ? await explore(scope) : await exploreCopy(scope, "?sizes", changes);
}

/** Explores the product's code with a mistake in it. */
export async function exploreMutant({ name, change, scope: scopeName }: Mutant): Promise<Exploration> {
  const file = productMarkers().find(({ mutant }) => mutant === name)?.file;
  if (file === undefined) throw new Error(`no line "// mutant: ${name}" is in shared/`);
  const scope = scopeCalled(scopeName);
  const mistake: Change = (source) => changeMarked(source, name, change);
  const changes = new Map([...changesOf(scope), [pathToFileURL(file).href, mistake]]);
  return await exploreCopy(scope, `?mutant=${name}`, changes);
}

function changesOf({ sizes }: Scope): ReadonlyMap<string, Change> {
  if (sizes === undefined) return new Map();
  return new Map([[SIZES_URL, (source) => withSizes(source, sizes)]]);
}

let copies = 0;

/**
 * Explores changed code. The code is changed while the modules are loaded: this process gets a second copy of all our
 * modules, and those of `node_modules` are shared. No file is changed.
 */
async function exploreCopy(scope: Scope, name: string, changes: ReadonlyMap<string, Change>): Promise<Exploration> {
  const query = `${name}&copy=${++copies}`;
  const hooks = registerHooks({
    resolve(specifier, context, nextResolve) {
      const resolved = nextResolve(specifier, context);
      const isCopy = context.parentURL?.endsWith(query) && isOurs(resolved.url) && !resolved.url.endsWith(query);
      return isCopy ? { ...resolved, url: resolved.url + query } : resolved;
    },
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const change = url.endsWith(query) ? changes.get(url.slice(0, -query.length)) : undefined;
      return change === undefined ? loaded : { ...loaded, source: change(String(loaded.source)) };
    },
  });
  try {
    const copy = (await import(`./explore.ts${query}`)) as typeof import("./explore.ts");
    return await copy.explore(scope);
  } finally {
    hooks.deregister();
  }
}
