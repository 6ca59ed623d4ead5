import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Block } from "../helpers/pages.ts";
import { Project } from "./project.ts";

/** Lines that act on AWS. `deploy.test.ts` runs such commands on an emulator. */
const ON_AWS = /--stack|cdk (bootstrap|deploy|destroy)/;

export interface TypedLine {
  readonly line: string;
  readonly code: number;
  readonly printed: string;
}

/** A terminal in which a test pastes blocks of a page. As in a shell, a `cd` holds for the lines after it. */
export class Terminal {
  directory: string;
  readonly #modules: string;

  /** @param modules A `node_modules` folder that projects take before their first `npm install`, which then has little to do. */
  constructor(directory: string, modules: string) {
    mkdirSync(directory, { recursive: true });
    this.directory = directory;
    this.#modules = modules;
  }

  /** Types the lines of a block, except those that act on AWS. */
  async paste({ code }: Block): Promise<readonly TypedLine[]> {
    const typed: TypedLine[] = [];
    for (const line of code.trim().split("\n")) {
      if (!ON_AWS.test(line)) typed.push(await this.type(line));
    }
    return typed;
  }

  async type(line: string): Promise<TypedLine> {
    if (line.startsWith("npm install") && !existsSync(join(this.directory, "node_modules"))) {
      await new Project(this.directory, {}).type("cp", "-al", this.#modules, "node_modules");
    }
    const place = mkdtempSync(join(tmpdir(), "sluice-terminal-"));
    const shell = new Project(this.directory, {});
    // An option of bash would change what the line does. So the line stands alone, and the exit code is its own.
    const script = `${line}\ncode=$?\npwd > "${place}/directory"\nexit $code\n`;
    const { code, stdout, stderr } = await shell.type("bash", "-c", script);
    this.directory = readFileSync(join(place, "directory"), "utf8").trim();
    rmSync(place, { recursive: true });
    return { line, code, printed: `${stdout}\n${stderr}` };
  }

  /** Writes a block whose first line names its file: `// workflows/customers.ts`. */
  save({ code }: Block): void {
    const file = /^\/\/ (\S+)\n/.exec(code)?.[1];
    if (file === undefined) throw new Error(`the block names no file:\n${code}`);
    this.write(file, code);
  }

  write(file: string, content: string): void {
    mkdirSync(dirname(join(this.directory, file)), { recursive: true });
    writeFileSync(join(this.directory, file), content);
  }
}
