/**
 * Loaded before other code (`node --import`): a block has two pages, and a group has two blocks. So a small run has many of
 * them. The sizes are changed while the modules are loaded. No file is changed.
 */
import { registerHooks } from "node:module";
import { SIZES_URL, withSizes } from "./sizes.ts";

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (url !== SIZES_URL) return loaded;
    return { ...loaded, source: withSizes(String(loaded.source), { pagesPerBlock: 2, blocksPerGroup: 2 }) };
  },
});
