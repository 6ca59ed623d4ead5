import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ConfigurationError, toError } from "../shared/base/errors.ts";
import { externalDirectories } from "../shared/bundling/external-directories.ts";
import type { BundlingSettings, LambdaArchitecture } from "../shared/definition/bundling-options.ts";
import { checkNativeCode } from "./native-code.ts";

/** npm's name of each processor. */
const CPU: Readonly<Record<LambdaArchitecture, string>> = { arm64: "arm64", x86_64: "x64" };

/**
 * Installs the external packages of a workflow into a function's asset, in the versions that are installed here, for
 * Lambda's platform. Lambda runs Amazon Linux 2023, which has glibc.
 * https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
 *
 * @throws {ConfigurationError} A package is not installed here, cannot be installed, or has no native code for the platform.
 */
export function installExternal(directory: string, workflowFile: string, bundling: BundlingSettings): void {
  const { external, architecture } = bundling;
  if (external.length === 0) return;
  const installed = externalDirectories(workflowFile, { ...bundling, layers: [] });
  const dependencies = Object.fromEntries(
    Object.entries(installed).map(([name, folder]) => {
      const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
        readonly version: string;
      };
      return [name, version];
    }),
  );
  writeFileSync(join(directory, "package.json"), JSON.stringify({ private: true, type: "module", dependencies }));
  const cpu = CPU[architecture];
  // Install scripts would compile for the processor of this machine.
  const words = [
    "install",
    "--ignore-scripts",
    "--omit=dev",
    "--no-audit",
    "--no-fund",
    "--no-package-lock",
    "--prefer-offline",
  ];
  try {
    execFileSync("npm", [...words, "--os=linux", `--cpu=${cpu}`, "--libc=glibc"], {
      cwd: directory,
      stdio: "pipe",
      shell: process.platform === "win32",
    });
  } catch (cause) {
    const { stderr } = cause as { readonly stderr?: Buffer };
    throw new ConfigurationError(
      `${workflowFile}: npm cannot install ${Object.entries(dependencies)
        .map(([name, version]) => `${name}@${version}`)
        .join(", ")} for linux on ${cpu}: ${stderr?.toString().trim() || toError(cause).message}`,
      { cause },
    );
  }
  const modules = join(directory, "node_modules");
  // It holds the time of the install.
  rmSync(join(modules, ".package-lock.json"), { force: true });
  checkNativeCode(directory, { workflowFile, names: Object.keys(installed), architecture });
}
