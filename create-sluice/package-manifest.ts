/** The part of a `package.json` that `init` reads. All other fields stay as they are. */
export interface Manifest {
  readonly name?: string;
  readonly type?: string;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

export interface ManifestOptions {
  readonly scripts: Readonly<Record<string, string>>;
  /** The version of Sluice: a range, or where its tarball is. */
  readonly library: string;
  /** Whether the project needs the npm package `node`, because the Node of this machine is too old. */
  readonly needsNode: boolean;
}

/** Packages whose install scripts may run. `node` downloads Node with its script, and the others build native code. */
const BUILT = ["classic-level", "esbuild", "node"];

/**
 * Adds to a manifest what a project with Sluice needs. A script or a dependency that the project has is not changed: a
 * script whose name is taken is added as `sluice:<name>`.
 */
export function addToManifest(before: Manifest, { scripts, library, needsNode }: ManifestOptions): Manifest {
  const has = { ...before.dependencies, ...before.devDependencies };
  const missing = (packages: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(packages).filter(([name]) => has[name] === undefined));
  const added = Object.entries(scripts).map(([name, script]) => {
    const taken = before.scripts?.[name];
    return [taken === undefined || taken === script || isPlaceholder(taken) ? name : `sluice:${name}`, script];
  });
  return {
    ...before,
    scripts: { ...before.scripts, ...Object.fromEntries(added) },
    dependencies: sorted({ ...before.dependencies, ...missing({ sluice: library, zod: "^4.6.7" }) }),
    devDependencies: sorted({
      ...before.devDependencies,
      ...missing({
        "@types/node": "^24.19.2",
        "aws-cdk": "^2.1148.1",
        "aws-cdk-lib": "^2.276.0",
        constructs: "^10.8.1",
        typescript: "^7.0.2",
        ...(needsNode && { node: "^24.21.0" }),
      }),
    }),
    // npm asks for permission to run install scripts here, and Yarn in `dependenciesMeta`.
    // https://yarnpkg.com/configuration/manifest#dependenciesMeta.built
    allowScripts: { ...asObject(before.allowScripts), ...Object.fromEntries(BUILT.map((name) => [name, true])) },
    dependenciesMeta: {
      ...asObject(before.dependenciesMeta),
      ...Object.fromEntries(BUILT.map((name) => [name, { built: true }])),
    },
  };
}

/** What pnpm needs to run the install scripts: `allowBuilds` for pnpm 11, the list for pnpm 10. */
export const PNPM_WORKSPACE = `# The packages whose install scripts may run: https://pnpm.io/settings#allowbuilds
allowBuilds:
${BUILT.map((name) => `  ${name}: true\n`).join("")}onlyBuiltDependencies:
${BUILT.map((name) => `  - ${name}\n`).join("")}`;

/** Yarn can only install into `node_modules` what `node` and esbuild find there. */
export const YARNRC = "nodeLinker: node-modules\n";

/** `npm init` writes this script. */
function isPlaceholder(script: string): boolean {
  return script.startsWith('echo "Error: no test specified"');
}

function sorted(packages: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function asObject(value: unknown): object {
  return typeof value === "object" && value !== null ? value : {};
}
