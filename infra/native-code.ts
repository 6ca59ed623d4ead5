import { closeSync, openSync, readdirSync, readSync, realpathSync } from "node:fs";
import { join, sep } from "node:path";
import { ConfigurationError } from "../shared/base/errors.ts";
import { installedFor } from "../shared/bundling/local-bundle.ts";
import { hasNativeCode, manifestOf, OF_A_PLATFORM } from "../shared/bundling/native-packages.ts";
import type { LambdaArchitecture } from "../shared/definition/bundling-options.ts";

/** The machine in the header of an ELF file: https://man7.org/linux/man-pages/man5/elf.5.html */
const MACHINE: Readonly<Record<LambdaArchitecture, number>> = { arm64: 0xb7, x86_64: 0x3e };

/** What `checkNativeCode` needs to know of a workflow. */
export interface NativeCodeOptions {
  readonly workflowFile: string;
  /** The external packages. */
  readonly names: readonly string[];
  readonly architecture: LambdaArchitecture;
}

/**
 * Checks that each external package, and each package that it depends on, has native code for Lambda's processor if it
 * needs native code. npm leaves out an optional package that it cannot install, without an error.
 *
 * @param directory The directory whose `node_modules` has the packages.
 * @throws {ConfigurationError} A package needs native code, and has none for the processor.
 */
export function checkNativeCode(directory: string, { workflowFile, names, architecture }: NativeCodeOptions): void {
  const seen = new Set<string>();
  const asset = realpathSync(directory) + sep;
  // The asset may lie in a project that has packages for this machine.
  const find = (from: string, name: string): string | undefined => {
    const found = installedFor(from, name);
    return found?.startsWith(asset) === true ? found : undefined;
  };
  const check = (from: string, name: string): void => {
    const root = find(from, name);
    if (root === undefined || seen.has(root)) return;
    seen.add(root);
    const manifest = manifestOf(root);
    const ofPlatforms = Object.keys(manifest.optionalDependencies ?? {})
      .filter((optional) => OF_A_PLATFORM.test(optional))
      .flatMap((optional) => find(root, optional) ?? []);
    if (hasNativeCode(root, manifest) && !hasCodeFor(root, ofPlatforms, architecture)) {
      throw new ConfigurationError(
        `${workflowFile}: the external package ${name} ${manifest.version ?? ""} has no native code for linux on ` +
          `${architecture}. Use a version whose package contains binaries for this platform, another ` +
          "bundling.architecture, or a layer of bundling.layers that contains the package",
      );
    }
    // Packages do without their other optional dependencies, such as `fsevents`.
    for (const dependency of Object.keys(manifest.dependencies ?? {})) check(root, dependency);
  };
  for (const name of names) check(directory, name);
}

/** Whether a package, or one of its packages for a platform, contains a binary for the processor. */
function hasCodeFor(root: string, ofPlatforms: readonly string[], architecture: LambdaArchitecture): boolean {
  const isForProcessor = (file: string): boolean => machineOf(file) === MACHINE[architecture];
  return (
    filesIn(root).some((file) => file.endsWith(".node") && isForProcessor(file)) ||
    // Such a package can also contain a program, for example that of esbuild.
    ofPlatforms.some((folder) => filesIn(folder).some(isForProcessor))
  );
}

/** The files of a package, without those of the packages in it. */
const filesIn = (root: string): readonly string[] =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !file.slice(root.length).includes(`${sep}node_modules${sep}`));

/** The processor of an ELF file; `undefined` for other files. */
function machineOf(file: string): number | undefined {
  const header = Buffer.alloc(20);
  const descriptor = openSync(file, "r");
  try {
    readSync(descriptor, header, 0, header.length, 0);
  } finally {
    closeSync(descriptor);
  }
  return header.toString("latin1", 1, 4) === "ELF" ? header.readUInt16LE(18) : undefined;
}
