import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Combination } from "./combinations.ts";
import { runCommand } from "./command.ts";

/** What a step of the walk led to. */
export interface StepResult {
  readonly step: string;
  /** The last lines that the step printed. Absent: the step succeeded. */
  readonly problem?: string;
  /** The step succeeded only after this was added to `package.json` by hand. */
  readonly byHand?: string;
}

export interface WalkResult {
  readonly node: string;
  readonly packageManager: string;
  readonly steps: readonly StepResult[];
}

export interface WalkOptions {
  /** An empty folder for the tools, the home and the project. */
  readonly directory: string;
  /** The packed packages. */
  readonly tarballs: { readonly sluice: string; readonly create: string };
  /** What the package managers download. It is kept from walk to walk. */
  readonly cache: string;
  /** The file that gets all that the commands print. */
  readonly log: string;
}

/** The steps of a new user, after `create-sluice`. */
export const STEPS = ["create", "install", "check", "start", "test", "synth"] as const;

/**
 * What Yarn needs while the registry does not have a package that is inside of aws-cdk-lib. Yarn asks the registry for it all
 * the same. npm and pnpm take the copy that is inside.
 */
export const RESOLUTIONS = { "@aws/cloudformation-validate": "1.9.0-beta" } as const;

/**
 * Walks as a new user with one Node and one package manager: writes a project with `create-sluice`, installs, compiles, runs,
 * tests and synthesises it, in a home that has nothing else. The walk ends at the first step that fails.
 */
export async function walk(combination: Combination, options: WalkOptions): Promise<WalkResult> {
  const { packageManager } = combination;
  const { directory, tarballs, cache, log } = options;
  const [home, tools] = [join(directory, "home"), join(directory, "tools")];
  for (const folder of [home, tools]) mkdirSync(folder, { recursive: true });
  const run = (command: readonly string[], cwd: string, env: NodeJS.ProcessEnv) =>
    runCommand(command, { cwd, env, log });

  // npm 11 and later run only the install scripts that a package.json allows. That of `node` puts the program in its place.
  writeFileSync(join(tools, "package.json"), '{ "private": true, "allowScripts": { "node": true } }');
  const set = ["npm", "install", "--no-audit", "--no-fund", `node@${combination.node}`, combination.package];
  const setUp = await run(set, tools, process.env);
  if (setUp.code !== 0) throw new Error(`the tools of ${combination.name} cannot be installed: see ${log}`);
  const registry = (await run(["npm", "config", "get", "registry"], tools, process.env)).printed.trim();

  const environment = userEnvironment({ home, tools, cache, registry });
  const versionOf = async (tool: string) => (await run([tool, "--version"], home, environment)).printed.trim();
  const node = await versionOf("node");
  const version = await versionOf(packageManager);
  const steps: StepResult[] = [];
  const take = async (step: string, command: readonly string[], cwd: string, env = environment): Promise<boolean> => {
    const { code, printed } = await run(command, cwd, env);
    steps.push(code === 0 ? { step } : { step, problem: printed.trim().split("\n").slice(-12).join("\n") });
    return code === 0;
  };

  const project = join(home, "crm");
  const walked = async () => {
    const words = ["crm", "--source", "csv", "--yes", "--library", tarballs.sluice];
    const own = combination.create?.(tarballs.create);
    // Yarn starts only a published `create-sluice`. It sets this variable, which names the package manager.
    const env =
      own === undefined ? { ...environment, npm_config_user_agent: `yarn/${version} npm/? node/${node}` } : undefined;
    const create = own ?? (await installedCreate());
    if (!(await take("create", [...create, ...words], home, env))) return;
    for (const file of combination.without ?? []) rmSync(join(project, file));
    // Yarn takes a folder as a project of its own only if it has a lockfile, or no folder above it is a project.
    if (packageManager === "yarn") writeFileSync(join(project, "yarn.lock"), "");
    for (const step of STEPS.slice(1)) {
      const command = step === "install" ? [packageManager, "install"] : [packageManager, "run", step];
      if (await take(step, command, project)) continue;
      if (step !== "install" || packageManager !== "yarn") return;
      // The next steps are worth a look, too: see the page.
      steps.pop();
      addToManifest(join(project, "package.json"), { resolutions: RESOLUTIONS });
      if (!(await take(step, command, project))) return;
      steps.splice(-1, 1, { step, byHand: "resolutions" });
    }
  };
  await walked();
  return { node, packageManager: `${packageManager} ${version}`, steps };

  async function installedCreate(): Promise<readonly string[]> {
    const tool = join(directory, "create");
    mkdirSync(tool);
    writeFileSync(join(tool, "package.json"), '{ "private": true }');
    await run(["npm", "install", "--no-audit", "--no-fund", tarballs.create], tool, process.env);
    return [join(tool, "node_modules/.bin/create-sluice")];
  }
}

function addToManifest(file: string, fields: object): void {
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), ...fields }, undefined, 2));
}

interface UserOptions {
  readonly home: string;
  readonly tools: string;
  readonly cache: string;
  readonly registry: string;
}

/** The environment of a user who has a Node, a package manager and nothing else. */
function userEnvironment({ home, tools, cache, registry }: UserOptions): NodeJS.ProcessEnv {
  // How this machine reaches the registry: certificates and proxies.
  const network = Object.entries(process.env).filter(([name]) =>
    /^(NODE_EXTRA_CA_CERTS|SSL_CERT_|https?_proxy|no_proxy)/i.test(name),
  );
  return {
    ...Object.fromEntries(network),
    HOME: home,
    PATH: [join(tools, "node_modules/.bin"), "/usr/bin", "/bin"].filter((each) => existsSync(each)).join(delimiter),
    CI: "true",
    NO_COLOR: "1",
    npm_config_registry: registry,
    npm_config_cache: join(cache, "npm"),
    npm_config_store_dir: join(cache, "pnpm"),
    YARN_CACHE_FOLDER: join(cache, "yarn"),
    YARN_ENABLE_GLOBAL_CACHE: "false",
    YARN_NPM_REGISTRY_SERVER: registry.replace(/\/$/, ""),
    YARN_UNSAFE_HTTP_WHITELIST: "*",
    YARN_ENABLE_TELEMETRY: "0",
    // Yarn 1 gives up after 30 s, which is too short on a busy machine: https://classic.yarnpkg.com/en/docs/cli/install
    npm_config_network_timeout: "600000",
    // A new project has no lockfile yet. In CI, pnpm and Yarn would refuse to write one.
    YARN_ENABLE_IMMUTABLE_INSTALLS: "false",
    npm_config_frozen_lockfile: "false",
    CDK_DISABLE_CLI_TELEMETRY: "true",
  };
}
