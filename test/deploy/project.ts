import { execFile } from "node:child_process";
import { copyFileSync, linkSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const readJson = (file: string) => JSON.parse(readFileSync(join(root, file), "utf8"));

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A user's project in an empty directory, in which the packed library is installed. */
export class Project {
  readonly path: string;

  constructor(path: string, files: Readonly<Record<string, string>>) {
    this.path = path;
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(path, name)), { recursive: true });
      writeFileSync(join(path, name), content);
    }
  }

  /** Packs the checkout, and installs what came of it. */
  async install(): Promise<void> {
    const packed = await execute("npm", ["pack", "--json", "--pack-destination", this.path], root);
    if (packed.code !== 0) throw new Error(`npm pack failed:\n${packed.stdout}\n${packed.stderr}`);
    // What the build says comes before it.
    const [{ filename }] = JSON.parse(packed.stdout.slice(packed.stdout.search(/^\[/m)));
    const { manifest, lock } = locked(filename);
    writeFileSync(join(this.path, "package.json"), JSON.stringify(manifest));
    writeFileSync(join(this.path, "package-lock.json"), JSON.stringify(lock));
    const installed = await this.type("npm", "ci", "--prefer-offline", "--no-audit", "--no-fund");
    if (installed.code !== 0) throw new Error(`npm ci failed:\n${installed.stdout}\n${installed.stderr}`);
  }

  /** Takes what another project has installed, and installs further packages: ranges by their names. */
  async take(other: Project, packages: Readonly<Record<string, string>>): Promise<void> {
    for (const file of ["package.json", "package-lock.json"]) {
      copyFileSync(join(other.path, file), join(this.path, file));
    }
    // The tarball of the library.
    for (const file of readdirSync(other.path).filter((name) => name.endsWith(".tgz"))) {
      linkSync(join(other.path, file), join(this.path, file));
    }
    const copied = await this.type("cp", "-al", join(other.path, "node_modules"), join(this.path, "node_modules"));
    if (copied.code !== 0) throw new Error(`cp failed:\n${copied.stderr}`);
    const words = Object.entries(packages).map(([name, range]) => `${name}@${range}`);
    const installed = await this.type("npm", "install", "--prefer-offline", "--no-audit", "--no-fund", ...words);
    if (installed.code !== 0) throw new Error(`npm install failed:\n${installed.stdout}\n${installed.stderr}`);
  }

  /** Runs a command in it, as its user types it. */
  type(command: string, ...words: readonly string[]): Promise<Ended> {
    return execute(command, words, this.path);
  }
}

/**
 * The manifest and the lockfile of a project that depends on the tarball. Everything has the version that the checkout
 * has, whose installation left it in npm's cache: a release of some other package today fails nobody here.
 */
function locked(tarball: string) {
  const { name, version, bin, engines, dependencies, peerDependencies, devDependencies } = readJson("package.json");
  const { lockfileVersion, packages } = readJson("package-lock.json");
  const { "": _, ...others } = packages;
  const own = { [name]: `file:${tarball}`, zod: dependencies.zod };
  const tools = { "aws-cdk": devDependencies["aws-cdk"] };
  const manifest = { name: "project", version: "1.0.0", type: "module", dependencies: own, devDependencies: tools };
  const lock = {
    name: "project",
    version: "1.0.0",
    lockfileVersion,
    requires: true,
    packages: {
      "": manifest,
      [`node_modules/${name}`]: {
        version,
        resolved: `file:${tarball}`,
        bin,
        engines,
        dependencies,
        peerDependencies,
      },
      // What the project does not need is not installed.
      ...others,
    },
  };
  return { manifest, lock };
}

function execute(command: string, words: readonly string[], cwd: string): Promise<Ended> {
  // What npm tells the scripts of the checkout, such as its directory, is not meant for a project.
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|AWS_|CDK_|NODE_OPTIONS|INIT_CWD)/i.test(name),
  );
  const env = {
    ...Object.fromEntries(inherited),
    PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
    NO_COLOR: "1",
    CDK_DISABLE_CLI_TELEMETRY: "true",
    CDK_DISABLE_VERSION_CHECK: "true",
  };
  return new Promise((resolve) => {
    execFile(command, [...words], { cwd, env, maxBuffer: 100_000_000 }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === "number" ? error.code : Number(error !== null), stdout, stderr }),
    );
  });
}
