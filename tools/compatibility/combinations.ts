/** A Node and a package manager of a user. */
export interface Combination {
  /** The major version of Node. */
  readonly node: number;
  readonly packageManager: "npm" | "pnpm" | "yarn";
  /** The npm package of the package manager, with the newest version that runs on this Node. */
  readonly package: string;
}

export const COMBINATIONS: readonly Combination[] = [20, 22, 24].flatMap((node) => [
  { node, packageManager: "npm", package: node < 22 ? "npm@10" : "npm@11" } as const,
  { node, packageManager: "pnpm", package: node < 22 ? "pnpm@10" : "pnpm@12" } as const,
  { node, packageManager: "yarn", package: "@yarnpkg/cli-dist@4" } as const,
]);

export const nameOf = ({ node, packageManager }: Combination): string => `${node}-${packageManager}`;
