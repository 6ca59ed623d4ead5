import { spawn } from "node:child_process";
import { join } from "node:path";
import { init, nextCommands } from "./init.ts";
import { InitError } from "./init-error.ts";

/** What the user typed. */
export interface InitFlags {
  readonly folder?: string | undefined;
  readonly source?: string | undefined;
  readonly file?: string | undefined;
  readonly name?: string | undefined;
  /** Asks nothing: the defaults apply, existing files are kept. */
  readonly yes?: boolean | undefined;
  /** Installs the packages. Absent: the user is asked, and with `yes` nothing is installed. */
  readonly install?: boolean | undefined;
}

/**
 * Asks what the flags do not say, writes the project, and prints what to type next.
 *
 * @param library The version of Sluice for `package.json`: a range, or where its tarball is.
 * @returns The exit code.
 * @throws {InitError} A flag is invalid, or there is no terminal to ask on.
 */
export async function runInit(flags: InitFlags, library: string): Promise<number> {
  const asks = flags.yes !== true && process.stdin.isTTY === true;
  if (!asks && flags.source === undefined) {
    throw new InitError("there is no terminal to ask on: add --source csv, --source api or --source code, and --yes");
  }
  // The questions need a library, which flags do not.
  const questions = asks ? await import("./questions.ts") : undefined;
  try {
    const source = flags.source ?? (await questions?.askSource()) ?? "csv";
    const wantsSample = flags.file !== undefined || flags.source !== undefined || source !== "csv";
    const file = wantsSample ? flags.file : await questions?.askCsvFile();
    const report = await init({
      folder: flags.folder ?? ".",
      source,
      file,
      name: flags.name,
      library,
      userAgent: process.env.npm_config_user_agent,
      node: process.versions.node,
      mayOverwrite: async (path) => (await questions?.askOverwrite(path)) ?? false,
    });
    for (const path of report.written) console.log(`  wrote  ${path}`);
    for (const path of report.kept)
      console.log(`  kept   ${path}, which exists: compare it with that of an empty folder`);
    for (const note of report.notes) console.log(`\n${note}`);
    if (report.workspaceRoot !== undefined) {
      console.log(
        `\nThe folder is inside the workspace ${report.workspaceRoot}. Add it there if no pattern matches it.`,
      );
      if (report.packageManager === "pnpm") {
        const file = join(report.workspaceRoot, "pnpm-workspace.yaml");
        console.log(`Allow the install scripts of classic-level, esbuild and node in ${file}: allowBuilds.`);
      }
    }
    const command = `${report.packageManager} install`;
    const installs = flags.install ?? (await questions?.askInstall(command)) ?? false;
    const code = installs ? await install(report.packageManager, report.directory) : 0;
    console.log(
      `\nNext:\n${nextCommands(report, installs && code === 0)
        .map((line) => `  ${line}\n`)
        .join("")}`,
    );
    return code;
  } catch (error) {
    if (error instanceof Error && error.name === "Cancelled") return 130;
    throw error;
  }
}

async function install(packageManager: string, cwd: string): Promise<number> {
  console.log(`\n${packageManager} install`);
  // npm and pnpm are scripts on Windows, which only a shell starts. No word of the command comes from the user.
  const child = spawn(packageManager, ["install"], { cwd, stdio: "inherit", shell: process.platform === "win32" });
  return new Promise((resolve) => {
    child.on("error", (error) => {
      console.error(`${packageManager} could not be started: ${error.message}`);
      resolve(1);
    });
    child.on("exit", (code) => resolve(code ?? 1));
  });
}
