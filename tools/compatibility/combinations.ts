/** A Node and a package manager of a user. */
export interface Combination {
  /** The name of the row: `22-pnpm`. */
  readonly name: string;
  /** The major version of Node. */
  readonly node: number;
  /** The command that the user types. */
  readonly packageManager: "npm" | "pnpm" | "yarn";
  /** The npm package of the package manager, with its version. */
  readonly package: string;
  /** How the user starts `create-sluice` from its tarball. Absent: an installed `create-sluice` is started. */
  readonly create?: ((tarball: string) => readonly string[]) | undefined;
  /** Files of the project that this user removes before the installation. */
  readonly without?: readonly string[] | undefined;
}

const NODES = [20, 22, 24] as const;
/** The major versions that run on each Node, so that the rows cover three of them. */
const NPM = { 20: 10, 22: 11, 24: 12 } as const;
const PNPM = { 20: 10, 22: 11, 24: 12 } as const;

const yarn4 = { packageManager: "yarn", package: "@yarnpkg/cli-dist@4" } as const;

export const COMBINATIONS: readonly Combination[] = NODES.flatMap((node): readonly Combination[] => [
  {
    name: `${node}-npm`,
    node,
    packageManager: "npm",
    package: `npm@${NPM[node]}`,
    create: (tarball) => ["npx", "--yes", "--package", tarball, "create-sluice"],
  },
  {
    name: `${node}-pnpm`,
    node,
    packageManager: "pnpm",
    package: `pnpm@${PNPM[node]}`,
    create: (tarball) => ["pnpm", `--package=file:${tarball}`, "dlx", "create-sluice"],
  },
  { name: `${node}-yarn-1`, node, packageManager: "yarn", package: "yarn@1" },
  { name: `${node}-yarn-4`, node, ...yarn4 },
  // `create-sluice` writes `nodeLinker: node-modules` into this file. Without the file, Yarn 4 uses Plug'n'Play.
  { name: `${node}-yarn-4-pnp`, node, ...yarn4, without: [".yarnrc.yml"] },
]);
