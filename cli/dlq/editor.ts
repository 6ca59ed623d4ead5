import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigurationError, SluiceError } from "../../shared/base/errors.ts";

/** What a person writes in. git and kubectl look in the same places. */
function editorOf({ VISUAL, EDITOR }: NodeJS.ProcessEnv): string {
  const named = VISUAL || EDITOR;
  if (named) return named;
  if (process.stdin.isTTY) return "vi";
  throw new ConfigurationError("there is no terminal to edit on: name an editor in the environment variable EDITOR");
}

/** A file that a person changes in an editor, perhaps more than once. It is removed when it is disposed of. */
export class Draft {
  readonly #directory: string;
  readonly file: string;

  private constructor(directory: string, name: string) {
    this.#directory = directory;
    this.file = join(directory, name);
  }

  /** @param name The file's, whose ending tells the editor what is in it. */
  static async open(name: string): Promise<Draft> {
    return new Draft(await mkdtemp(join(tmpdir(), "sluice-")), name);
  }

  /**
   * Opens a text in the editor and returns it as the person left it.
   *
   * @throws {ConfigurationError} There is no terminal to edit on, and no editor is named that may do without.
   * @throws {SluiceError} `EDITOR`: there is no such editor, or it failed.
   */
  async edit(text: string): Promise<string> {
    // Its items may be nobody else's business.
    await writeFile(this.file, text, { mode: 0o600 });
    const editor = editorOf(process.env);
    // By the shell, as it may be "code --wait". Ctrl-C is the editor's while it is open.
    const ignore = () => {};
    process.on("SIGINT", ignore);
    const child = spawn("sh", ["-c", `${editor} "$1"`, "sh", this.file], { stdio: "inherit" });
    try {
      const [code, signal] = await once(child, "close");
      if (code !== 0) {
        throw new SluiceError(
          "EDITOR",
          `the editor "${editor}" ${signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`}: ` +
            "nothing was changed. Name another one in the environment variable VISUAL or EDITOR",
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
