/** How large blocks and groups of blocks are, instead of 1,000 pages and 1,000 blocks. */
export interface Sizes {
  readonly pagesPerBlock: number;
  readonly blocksPerGroup: number;
}

/** The module with the sizes. */
export const SIZES_URL = new URL("../../shared/ledger/keys.ts", import.meta.url).href;

/** Changes the sizes in the source of the module that has them. */
export function withSizes(source: string, { pagesPerBlock, blocksPerGroup }: Sizes): string {
  return withConstant(withConstant(source, "PAGES_PER_BLOCK", pagesPerBlock), "BLOCKS_PER_GROUP", blocksPerGroup);
}

function withConstant(source: string, name: string, value: number): string {
  const constant = new RegExp(`^export const ${name} = 1_000;$`, "m");
  if (!constant.test(source)) throw new Error(`shared/ledger/keys.ts has no line "export const ${name} = 1_000;"`);
  return source.replace(constant, `export const ${name} = ${value};`);
}
