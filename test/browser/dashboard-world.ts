import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { CliWorld, type Command, workflowFile } from "../helpers/cli.ts";
import { PATIENTLY } from "../helpers/patience.ts";

/** A directory with a workflow, and the dashboard of its runs as a process. */
export class DashboardWorld {
  readonly cli = new CliWorld();
  #command: Command | undefined;
  #url = "";

  /** @param workflow A workflow of `test/helpers/workflows`. */
  constructor(workflow: string) {
    mkdirSync(join(this.cli.path, "workflows"));
    const file = JSON.stringify(workflowFile(workflow));
    writeFileSync(join(this.cli.path, "workflows", `${workflow}.ts`), `export { default } from ${file};\n`);
    writeFileSync(join(this.cli.path, "package.json"), '{ "name": "world", "type": "module" }\n');
    this.cli.deliverInOrder();
  }

  /** The URL with the token. */
  get url(): string {
    return this.#url;
  }

  get origin(): string {
    return new URL(this.#url).origin;
  }

  /** Starts `sluice ui`. */
  async start(): Promise<void> {
    const command = this.cli.begin("ui", "--no-open", "--json");
    this.#command = command;
    let printed = "";
    command.process.stdout?.on("data", (text: string) => {
      printed += text;
    });
    await command.printed("dashboard");
    this.#url = (JSON.parse(printed) as { readonly url: string }).url;
  }

  /** Kills the server and all that it started, as a crash does. */
  async kill(): Promise<void> {
    if (this.#command !== undefined) await this.cli.kill(this.#command);
  }

  [Symbol.dispose](): void {
    this.cli[Symbol.dispose]();
  }
}

/** A page of the dashboard, and what went wrong in it. */
export interface OpenPage {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Errors of scripts, violations of the content security policy, and dialogs: there must be none. */
  readonly faults: string[];
}

export interface PageOptions {
  readonly width?: number;
  readonly height?: number;
  readonly theme?: "light" | "dark";
}

/** Opens the dashboard as a user does. */
export async function openPage(browser: Browser, url: string, options: PageOptions = {}): Promise<OpenPage> {
  const { width = 1280, height = 900, theme = "light" } = options;
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme });
  // Also for pages that a test opens itself. The default of 30 s is too short for a busy machine.
  context.setDefaultTimeout(PATIENTLY.timeout);
  const page = await context.newPage();
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("dialog", (dialog) => {
    faults.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("console", (message) => {
    if (/content security policy/i.test(message.text())) faults.push(message.text());
  });
  await page.goto(url);
  return { page, context, faults };
}
