import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openBrowser } from "./open-browser.ts";

/** A dashboard in a process of its own, so that it takes no time from the run. */
export class DashboardBeside {
  readonly #child: ChildProcess;
  readonly url: string;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
  }

  /**
   * Starts `sluice ui` beside this command.
   *
   * @returns `undefined` if it could not be started. It then has printed why.
   */
  static async start(): Promise<DashboardBeside | undefined> {
    const [, cli = ""] = process.argv;
    // The terminal sends Ctrl-C to all processes of this group. This command decides when the dashboard ends.
    const child = spawn(process.execPath, ["--no-warnings", cli, "ui", "--json"], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      detached: true,
    });
    const url = await Promise.race([
      once(child, "message").then(([message]) => (message as { readonly url: string }).url),
      once(child, "exit").then(() => undefined),
    ]);
    if (url === undefined) return undefined;
    if (process.stdout.isTTY) openBrowser(url);
    return new DashboardBeside(child, url);
  }

  /** Resolves at Ctrl-C, or when the dashboard has ended. */
  async untilInterrupted(): Promise<void> {
    const over = new AbortController();
    const { signal } = over;
    try {
      await Promise.race([
        once(process, "SIGINT", { signal }),
        once(process, "SIGTERM", { signal }),
        once(this.#child, "exit", { signal }),
      ]);
    } finally {
      over.abort();
    }
  }

  /** Ends the dashboard. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.disconnect();
    await ended;
  }
}
