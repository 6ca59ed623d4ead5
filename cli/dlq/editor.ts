import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigurationError, SluiceError } from "../../shared/base/errors.ts";

/** The user's editor. git and kubectl read the same variables. */
function editorOf({ VISUAL, EDITOR }: NodeJS.ProcessEnv): string {
  const named = VISUAL || EDITOR;
  if (named) return named;
  if (process.stdin.isTTY) return "vi";
  throw new ConfigurationError(
    "there is no terminal for an editor: set the environment variable EDITOR to an editor that works without a terminal",
  );
}

/** A temporary file that the user changes in an editor, once or more often. It is deleted on disposal. */
export class Draft {
  readonly #directory: string;
  readonly file: string;

  private constructor(directory: string, name: string) {
    this.#directory = directory;
    this.file = join(directory, name);
  }

  /** @param name The file's name. Its extension tells the editor the language. */
  static async open(name: string): Promise<Draft> {
    return new Draft(await mkdtemp(join(tmpdir(), "sluice-")), name);
  }

  /**
   * Opens a text in the editor and returns what the user saved.
   *
   * @throws {ConfigurationError} There is no terminal, and neither `VISUAL` nor `EDITOR` names an editor.
   * @throws {SluiceError} `EDITOR`: the editor does not exist, or it failed.
   */
  async edit(text: string): Promise<string> {
    // Items may be confidential, so only the user can read the file.
    await writeFile(this.file, text, { mode: 0o600 });
    const editor = editorOf(process.env);
    // A shell starts the editor, because the variable may hold arguments: "code --wait". While the editor is open, Ctrl-C
    // is for the editor.
    const ignore = () => {};
    process.on("SIGINT", ignore);
    const child = spawn("sh", ["-c", `${editor} "$1"`, "sh", this.file], { stdio: "inherit" });
    try {
      const [code, signal] = await once(child, "close");
      if (code !== 0) {
        throw new SluiceError(
          "EDITOR",
          `the editor "${editor}" ${signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`}: ` +
            "nothing was changed. Name another editor in the environment variable VISUAL or EDITOR",
        );
      }
      return await readFile(this.file, "utf8");
    } finally {
      process.off("SIGINT", ignore);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }
}
