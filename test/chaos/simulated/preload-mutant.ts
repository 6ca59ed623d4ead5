/** Loaded before the simulation (`node --import`): makes one mistake in the product while its modules are loaded. No file is changed. */
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";
import { changeMarked, productMarkers } from "../../exploration/markers.ts";
import { MUTANT, SIMULATED_MUTANTS } from "./mutants.ts";

const name = process.env[MUTANT];
const mutant = SIMULATED_MUTANTS.find((each) => each.name === name);
const file = productMarkers().find((marker) => marker.mutant === name)?.file;
if (mutant === undefined || file === undefined)
  throw new Error(`there is no mutant "${name}" with a marker in shared/`);
const mutated = pathToFileURL(file).href;

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (url !== mutated) return loaded;
    return { ...loaded, source: changeMarked(String(loaded.source), mutant.name, mutant.change) };
  },
});
