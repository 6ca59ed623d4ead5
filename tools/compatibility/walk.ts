import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Combination } from "./combinations.ts";

/** What a step of the walk led to: `ok`, or the last lines that it printed. */
export interface StepResult {
  readonly step: string;
  readonly problem?: string;
}

export interface WalkResult {
  readonly versions: string;
  readonly steps: readonly StepResult[];
}

/** The steps of a new user, after `create-sluice`. */
const STEPS: readonly (readonly [string, (manager: string) => readonly string[]])[] = [
  ["install", (manager) => [manager, "install"]],
  ["start", (manager) => [manager, "run", "start"]],
  ["test", (manager) => [manager, "run", "test"]],
  ["synth", (manager) => [manager, "run", "synth"]],
];

/**
 * Walks as a new user with one Node and one package manager: writes a project with `create-sluice`, installs it, runs it,
 * tests it and synthesises it, in a home that has nothing else. The walk ends at the first step that fails.
 *
 * @param tarballs The folder of the packed packages.
 */
export async function walk(combination: Combination, directory: string, tarballs: string): Promise<WalkResult> {
  const { packageManager } = combination;
  const home = join(directory, "home");
  const tools = join(directory, "tools");
  for (const folder of [home, tools]) mkdirSync(folder, { recursive: true });
  writeFileSync(join(tools, "package.json"), '{ "private": true, "allowScripts": { "node": true } }');
  const outside = { ...process.env };
  const setUp = await run(
    ["npm", "install", "--no-audit", "--no-fund", `node@${combination.node}`, combination.package],
    tools,
    outside,
  );
  if (setUp.code !== 0) throw new Error(`the tools cannot be installed:\n${setUp.printed}`);

  const registry = (await run(["npm", "config", "get", "registry"], tools, outside)).printed.trim();
  // How this machine reaches the registry: certificates and proxies.
  const network = Object.entries(process.env).filter(([name]) =>
    /^(NODE_EXTRA_CA_CERTS|SSL_CERT_|https?_proxy|no_proxy)/i.test(name),
  );
  const environment = {
    ...Object.fromEntries(network),
    HOME: home,
    PATH: [join(tools, "node_modules/.bin"), "/usr/bin", "/bin"].join(delimiter),
    CI: "true",
    NO_COLOR: "1",
    npm_config_registry: registry,
    YARN_NPM_REGISTRY_SERVER: registry.replace(/\/$/, ""),
    YARN_UNSAFE_HTTP_WHITELIST: "*",
    YARN_ENABLE_TELEMETRY: "0",
    // A new project has no lockfile yet. In CI, pnpm and Yarn would refuse to write one.
    YARN_ENABLE_IMMUTABLE_INSTALLS: "false",
    npm_config_frozen_lockfile: "false",
    CDK_DISABLE_CLI_TELEMETRY: "true",
  };
  const versions = [
    await run(["node", "--version"], home, environment),
    await run([packageManager, "--version"], home, environment),
  ].map(({ printed }) => printed.trim());

  const tool = join(directory, "create");
  mkdirSync(tool);
  writeFileSync(join(tool, "package.json"), '{ "private": true }');
  await run(["npm", "install", "--no-audit", "--no-fund", join(tarballs, "create-sluice-0.1.0.tgz")], tool, outside);
  const words = ["--source", "csv", "--yes", "--library", join(tarballs, "sluice-0.1.0.tgz")];
  const create = [join(tool, "node_modules/.bin/create-sluice"), "crm", ...words];
  const userAgent = `${packageManager}/${versions[1]} npm/? node/${versions[0]}`;
  const project = join(home, "crm");
  const steps: StepResult[] = [];
  const take = async (step: string, command: readonly string[], cwd: string): Promise<boolean> => {
    const { code, printed } = await run(command, cwd, { ...environment, npm_config_user_agent: userAgent });
    steps.push(code === 0 ? { step } : { step, problem: printed.trim().split("\n").slice(-12).join("\n") });
    return code === 0;
  };
  if (await take("create", create, home)) {
    for (const [step, command] of STEPS) if (!(await take(step, command(packageManager), project))) break;
  }
  return { versions: versions.join(", "), steps };
}

function run(
  [command = "", ...words]: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly code: number; readonly printed: string }> {
  return new Promise((resolve) => {
    execFile(command, words, { cwd, env, maxBuffer: 100_000_000 }, (error, stdout, stderr) =>
      resolve({
        code: error === null ? 0 : 1,
        printed: error === null ? stdout : `${stdout}\n${stderr}\n${error.message}`,
      }),
    );
  });
}
