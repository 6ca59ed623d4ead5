import { relative } from "node:path";
import { RUN_NOTE } from "../../local/run-note.ts";
import { StateDirectory } from "../../local/state-directory.ts";
import type { DevOptions } from "../commands/dev.ts";
import { EXIT } from "../exit-code.ts";
import { inOrder, LocalLog } from "../logs/local-log.ts";
import { LogPrinter } from "../logs/printer.ts";
import { newRunId } from "../runs/new-run-id.ts";
import { chooseDevScreen, type DevScreen } from "../screens/dev-screen.ts";
import { plural, style, timeOf } from "../screens/format.ts";
import { findWorkflow, type WorkflowFile } from "../targets/workflow-file.ts";
import { type EnvFile, envFiles, readEnvFile } from "./env-file.ts";
import { FileWatch } from "./file-watch.ts";
import { readKeys } from "./key-presses.ts";
import { LocalSchedule } from "./local-schedule.ts";
import type { FromVersion, LoadedVersion, ReportedError } from "./protocol.ts";
import { undeployedVariables } from "./undeployed-variables.ts";
import { startVersionProcess } from "./version-process.ts";
import { Versions, type VersionsObserver } from "./versions.ts";
import { unionOf, type WatchedFiles } from "./watched-files.ts";

const LOGS_MILLISECONDS = 200;

/** Keeps a workflow running on this machine while its user writes it, and sets the exit code. */
export async function devHere(name: string, options: DevOptions): Promise<void> {
  const found = await findWorkflow(name);
  const screen = chooseDevScreen(options);
  const dev = new Dev(found, options, screen);
  try {
    process.exitCode = await dev.untilEnd();
  } finally {
    screen.end();
    dev.sayWhatWasCut();
  }
}

/** A path as the user would type it. */
const shown = (path: string): string => {
  const short = relative(process.cwd(), path);
  return short.startsWith("..") ? path : short;
};

class Dev implements VersionsObserver {
  readonly #screen: DevScreen;
  readonly #options: DevOptions;
  readonly #found: WorkflowFile;
  readonly #versions: Versions;
  readonly #envFiles = envFiles();
  readonly #sourceWatch = new FileWatch({ onChange: (files) => this.#changed(files) });
  readonly #envWatch = new FileWatch({ onChange: () => this.#envChanged() });
  readonly #schedule = new LocalSchedule((at) => this.#startScheduled(at));
  #env: EnvFile;
  #watched: WatchedFiles | undefined;
  #loaded: LoadedVersion | undefined;
  #logs: readonly LocalLog[] = [];
  #printer: LogPrinter;
  #isFirst = true;
  #hasEnded = false;
  #end: (code: number) => void = () => {};

  constructor(found: WorkflowFile, options: DevOptions, screen: DevScreen) {
    this.#found = found;
    this.#options = options;
    this.#screen = screen;
    this.#printer = new LogPrinter({ run: undefined, item: undefined, onlyErrors: false }, options);
    this.#env = readEnvFile(this.#envFiles, process.env);
    const { file, companion } = found;
    this.#versions = new Versions(
      { file, name: found.name, companion, items: options.items },
      this,
      startVersionProcess,
    );
  }

  /** Works until the user quits, or until no version can run. Returns the exit code. */
  async untilEnd(): Promise<number> {
    const ended = new Promise<number>((resolve) => {
      this.#end = resolve;
    });
    let interrupts = 0;
    const interrupt = () => {
      interrupts += 1;
      if (interrupts === 1) this.#quit(EXIT.interrupted);
      else this.#versions.kill();
    };
    process.on("SIGINT", interrupt);
    process.on("SIGTERM", interrupt);
    // The reader of the output may close it early, as `head` does.
    process.stdout.once("error", interrupt);
    const handlers = {
      onStart: () => this.#startNow(),
      onQuit: () => (this.#hasEnded ? interrupt() : this.#quit(EXIT.succeeded)),
      onInterrupt: interrupt,
    };
    const stopReading = process.stdin.isTTY ? readKeys(process.stdin, handlers) : () => {};
    const logs = setInterval(() => this.#printLogs(), LOGS_MILLISECONDS);
    try {
      this.#tellEnv();
      this.#envWatch.follow({ files: this.#envFiles, names: {}, listings: [] });
      this.#load();
      if (this.#options.run) this.#request(newRunId());
      return await ended;
    } finally {
      clearInterval(logs);
      this.#sourceWatch.close();
      this.#envWatch.close();
      this.#schedule.close();
      stopReading();
      process.off("SIGINT", interrupt);
      process.off("SIGTERM", interrupt);
      process.stdout.off("error", interrupt);
    }
  }

  onLoaded(version: LoadedVersion): void {
    this.#loaded = version;
    this.#watched = version.watched;
    this.#followLogs(version.workflow);
    this.#sourceWatch.follow(version.watched, version.isStale ? "" : version.state);
    this.#schedule.set(version.schedule);
    this.#tellUndeployed(version);
    this.#screen.status("Starting the engine …");
  }

  onBroken(error: ReportedError, { watched }: Extract<FromVersion, { type: "broken" }>, goesOn: boolean): void {
    // The files of the version before are watched too, because what is broken may hide imports.
    this.#sourceWatch.follow(this.#watched === undefined ? watched : unionOf([this.#watched, watched]));
    this.#tellError(error, goesOn);
  }

  onReplacing(): void {
    if (this.#versions.unfinished.size === 0) return;
    this.#screen.say("The new version is loaded. It begins when the attempts in flight have ended, or after 5 s.");
  }

  onReady(): void {
    const { workflow = "", concurrency = 0, schedule } = this.#loaded ?? {};
    const { next } = this.#schedule;
    if (this.#isFirst) {
      this.#screen.say(
        `${style("bold", workflow, process.stderr)} is ready: up to ${plural(concurrency, "task")} in flight`,
      );
    } else this.#screen.say(style("green", "The new version runs.", process.stderr));
    if (this.#isFirst && schedule !== undefined) this.#screen.say(scheduleText(schedule, next));
    this.#isFirst = false;
    this.#showStatus();
  }

  onFailed(error: ReportedError): void {
    this.#tellError(error, this.#versions.isReady);
  }

  onFatal(error: ReportedError): void {
    this.#screen.error(error, "");
    this.#hasEnded = true;
    void this.#versions.close().then(() => this.#end(EXIT.failed));
  }

  onNews(message: Extract<FromVersion, { type: "message" | "begun" | "progress" | "ended" }>): void {
    if (message.type === "progress") {
      this.#screen.progress(message.run, message.progress);
      return;
    }
    // What was logged before comes first.
    this.#printLogs();
    if (message.type === "message") this.#screen.say(message.text);
    else if (message.type === "begun") this.#screen.begun(message);
    else {
      this.#screen.ended(message);
      this.#showStatus();
    }
  }

  onOutput(text: string): void {
    this.#screen.above(() => process.stderr.write(text));
  }

  #load(): void {
    this.#screen.status(`Loading ${shown(this.#found.file)} …`);
    this.#versions.load({ ...this.#env.variables, ...process.env });
  }

  #changed(files: readonly string[]): void {
    if (this.#hasEnded) return;
    const what = files.length === 0 ? "A file" : files.map(shown).join(", ");
    this.#screen.say(`${what} changed: loading the new version`);
    this.#load();
  }

  #envChanged(): void {
    if (this.#hasEnded) return;
    this.#env = readEnvFile(this.#envFiles, process.env);
    this.#screen.say(this.#env.file === undefined ? "There is no .env any more" : `${shown(this.#env.file)} changed`);
    this.#tellEnv();
    this.#load();
  }

  #tellEnv(): void {
    const { file, variables, kept, problems } = this.#env;
    for (const problem of problems) this.#screen.say(`${style("yellow", "warning", process.stderr)} ${problem}`);
    if (file === undefined) return;
    const names = Object.keys(variables);
    const list = names.length === 0 ? "" : `: ${names.join(", ")}`;
    const stays = kept.length === 0 ? "" : `. Set in the shell, so not changed: ${kept.join(", ")}`;
    this.#screen.say(`Read ${plural(names.length, "variable")} from ${shown(file)}${list}${stays}`);
  }

  /** Says once which variables of `.env` the code reads, and the deployed functions would lack. */
  #tellUndeployed({ deployedNames, watched }: LoadedVersion): void {
    const names = [...Object.keys(this.#env.variables), ...this.#env.kept];
    // The companion does not run when the workflow is deployed.
    const files = watched.files.filter((file) => file !== this.#found.companion);
    const missing = undeployedVariables(names, deployedNames, files).join(", ");
    if (missing !== "" && missing !== this.#undeployed) {
      this.#screen.say(
        `${style("yellow", "warning", process.stderr)} the code reads ${missing} of .env, which the deployed functions will not have: name it in ` +
          "the workflow's option environment, or read it with secret(name). You may ignore this if FanOut sets it",
      );
    }
    this.#undeployed = missing;
  }

  #undeployed = "";

  #tellError(error: ReportedError, goesOn: boolean): void {
    const follows = goesOn
      ? "The version before goes on. Save a file to load it again."
      : "No version runs. Save a file to load it again.";
    this.#screen.error(error, follows);
    this.#showStatus();
  }

  #showStatus(): void {
    if (this.#hasEnded) return;
    const { next } = this.#schedule;
    const keys = process.stdin.isTTY ? " · r: start a run · q: quit" : "";
    const what = this.#versions.isRunning ? "Ready" : "Waiting for a file to be saved";
    this.#screen.status(`${what}${next === undefined ? "" : ` · next run ${timeOf(next)}`}${keys}`);
  }

  #startNow(): void {
    if (this.#hasEnded) return;
    const [run] = this.#versions.unfinished;
    if (run !== undefined) {
      const { name } = this.#found;
      this.#screen.say(`Run ${run} has not ended. To end it: npx sluice cancel ${name}`);
    } else if (this.#versions.isRunning || this.#isFirst) this.#request(newRunId());
    else this.#screen.say("No version runs, so no run can start. Save a file to load it again.");
  }

  #request(run: string): void {
    this.#versions.request({ run, requestedAt: new Date().toISOString() });
  }

  #startScheduled(at: number): void {
    const requestedAt = new Date(at).toISOString();
    this.#screen.say(`The schedule starts a run${this.#versions.isReady ? "" : " once a version is ready"}`);
    // EventBridge Scheduler's id for this time.
    const run = `scheduled-${requestedAt.slice(0, "2026-11-22T08:00:00".length)}Z`;
    this.#versions.request({ run, requestedAt, scheduled: true });
    this.#showStatus();
  }

  #quit(code: number): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const closing = this.#versions.close();
    if (this.#versions.unfinished.size > 0) {
      this.#screen.say("Stopping: tasks in flight finish and are recorded. Press Ctrl-C again to stop at once.");
    }
    this.#screen.status("Stopping …");
    void closing.then(() => {
      this.#printLogs();
      const [run] = this.#versions.unfinished;
      if (run !== undefined) {
        this.#screen.say(`Nothing is lost. Continue run ${run} with: npx sluice resume ${this.#found.name}`);
      }
      this.#end(code);
    });
  }

  /** Says how to see the long values whole that the log lines did not show. */
  sayWhatWasCut(): void {
    this.#printer.end();
  }

  /** Reads the logs of the workflow's functions from now on. */
  #followLogs(workflow: string): void {
    if (this.#logs.length > 0 && this.#logged === workflow) return;
    const state = new StateDirectory(workflow);
    this.#logs = (["producer", "consumer"] as const).map((name) => new LocalLog(state.logFile(name), name));
    for (const log of this.#logs) log.skip();
    this.#logged = workflow;
  }

  #logged: string | undefined;

  #printLogs(): void {
    const read = inOrder(this.#logs.map((log) => log.read()));
    const lines = read.filter(({ line }) => line.message !== RUN_NOTE);
    if (lines.length > 0) this.#screen.above(() => this.#printer.print(lines));
  }
}

function scheduleText(schedule: NonNullable<LoadedVersion["schedule"]>, next: number | undefined): string {
  const { expression, timeZone, enabled } = schedule;
  const zone = timeZone === undefined ? "" : ` in ${timeZone}`;
  if (!enabled) return `The schedule ${expression}${zone} is disabled: it starts no runs`;
  if (next === undefined) return `The schedule ${expression}${zone} is in the past: it starts no runs`;
  return `The schedule ${expression}${zone} starts the next run at ${timeOf(next)}`;
}
