import { Command } from "commander";

/** A line in the list of commands that `sluice --help` prints. */
export interface ListedCommand {
  readonly name: string;
  /** What follows the name in the list. */
  readonly usage?: string;
  readonly summary: string;
  /** Loads the command with its options, its own help and its action. */
  load(): Promise<Command>;
}

/**
 * The commands, in the order of the list. Each has a file of its own, which is loaded only if the user types its name, so
 * that `--help` and `--version` answer at once.
 */
export const COMMANDS: readonly ListedCommand[] = [
  {
    name: "init",
    usage: "[options] [folder]",
    summary: "write a workflow with sample data, a test and a CDK app",
    load: async () => (await import("./init.ts")).initCommand,
  },
  {
    name: "run",
    usage: "[options] <workflow>",
    summary: "run a workflow on this machine",
    load: async () => (await import("./run.ts")).runCommand,
  },
  {
    name: "dev",
    usage: "[options] <workflow>",
    summary: "run a workflow on this machine while you write it: it reloads on save",
    load: async () => (await import("./dev.ts")).devCommand,
  },
  {
    name: "try",
    usage: "[options] <workflow>",
    summary: "run the first items of a workflow, and keep nothing",
    load: async () => (await import("./try.ts")).tryCommand,
  },
  {
    name: "plan",
    usage: "[options] <workflow>",
    summary: "say how long a run takes and what it costs, before it starts",
    load: async () => (await import("./plan.ts")).planCommand,
  },
  {
    name: "start",
    usage: "[options] [workflow]",
    summary: "start a run of a deployed workflow",
    load: async () => (await import("./start.ts")).startCommand,
  },
  {
    name: "resume",
    usage: "[options] [run]",
    summary: "continue a run that was interrupted, paused or failed, or whose dead letters were redriven",
    load: async () => (await import("./resume.ts")).resumeCommand,
  },
  {
    name: "status",
    usage: "[options] [run]",
    summary: "list runs, or show one",
    load: async () => (await import("./status.ts")).statusCommand,
  },
  {
    name: "ui",
    usage: "[options]",
    summary: "show runs and their failures in the browser",
    load: async () => (await import("./ui.ts")).uiCommand,
  },
  {
    name: "logs",
    usage: "[options] [run]",
    summary: "print what the functions logged, without metrics",
    load: async () => (await import("./logs.ts")).logsCommand,
  },
  {
    name: "results",
    usage: "[options] [run]",
    summary: "write what the tasks of a run returned",
    load: async () => (await import("./results.ts")).resultsCommand,
  },
  {
    name: "pause",
    usage: "[options] [run]",
    summary: "stop starting tasks of a run, and keep every message",
    load: async () => (await import("./pause.ts")).pauseCommand,
  },
  {
    name: "cancel",
    usage: "[options] [run]",
    summary: "end a run: drop the items that have not started",
    load: async () => (await import("./cancel.ts")).cancelCommand,
  },
  {
    name: "limit",
    usage: "[options] <workflow>",
    summary: "show or change how much a workflow's fleet may do at once",
    load: async () => (await import("./limit.ts")).limitCommand,
  },
  {
    name: "dlq",
    summary: "list dead letters, and redrive, export or delete them",
    load: async () => (await import("./dlq/dlq.ts")).dlqCommand,
  },
];

/**
 * Adds all commands to the program.
 *
 * @param words What the user typed. Commander can run a command, or print its help, only if its name is among the words.
 * All other commands are added as lines of the list, without their files.
 */
export async function addCommands(program: Command, words: readonly string[]): Promise<void> {
  for (const command of COMMANDS) {
    const { name, summary } = command;
    program.addCommand((words.includes(name) ? await command.load() : line(command)).summary(summary));
  }
}

/** A command that can only be printed in the list. Commander prints its arguments after its name. */
function line({ name, usage }: ListedCommand): Command {
  const command = new Command(name);
  return usage === undefined ? command : command.arguments(usage);
}

/** The beginning of a line, up to its last column of text: "  $ npx sluice dlq      " or "  130  ". */
const COLUMN = /^ *(?:\S+(?: \S+)* {2,})?/;
const COMMAND = /^ *\$ /;

/**
 * Breaks the long lines of a help between words, below the column in which their text begins. A command without a
 * description stays whole, so that it can be copied.
 */
export function breakHelp(help: string, columns: number): string {
  return help
    .split("\n")
    .map((line) => {
      const [start = ""] = COLUMN.exec(line) ?? [];
      if (line.length <= columns || (COMMAND.test(line) && start.trim() === "")) return line;
      const lines: string[] = [];
      let current = start;
      for (const word of line.slice(start.length).split(" ")) {
        const isFirst = current.trim() === "" || current === start;
        if (!isFirst && current.length + 1 + word.length > columns) {
          lines.push(current);
          current = " ".repeat(start.length) + word;
        } else current += isFirst ? word : ` ${word}`;
      }
      return [...lines, current].join("\n");
    })
    .join("\n");
}
