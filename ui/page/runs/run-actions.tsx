import type { CommandName, ListedRun, Overview } from "../../server/api.ts";
import { CommandButton } from "../parts/command.tsx";
import { ask } from "../parts/confirm.tsx";
import { telling } from "../parts/message.ts";
import { post } from "../state/json-requests.ts";
import { runCommand } from "./run-commands.ts";
import { isActive } from "./run-counts.ts";

const ASKS: Readonly<Record<Exclude<CommandName, "start">, readonly [verb: string, text: string]>> = {
  pause: ["Pause the run", "Tasks in flight finish, no new task starts, and every message stays in its queue."],
  resume: ["Resume the run", "The run continues where it stopped."],
  cancel: ["Cancel the run", "Tasks in flight finish. Items that have not started are dropped, and the run ends."],
};

/** The buttons that pause, resume and cancel a run. */
export function RunActions({ run, overview }: { readonly run: ListedRun; readonly overview: Overview }) {
  const { writable, isStack, flags } = overview;
  const isPaused = run.status === "paused";
  const canPause = run.status === "running" && !run.interrupted;
  const canResume =
    isPaused ||
    run.interrupted ||
    (run.status === "failed" && run.completedAt === null) ||
    (run.redriven && run.pending > 0 && run.live === null);
  const canCancel = isActive(run) && run.status !== "cancelling";
  const offered: readonly Exclude<CommandName, "start">[] = [
    ...(canPause ? (["pause"] as const) : []),
    ...(canResume ? (["resume"] as const) : []),
    ...(canCancel ? (["cancel"] as const) : []),
  ];
  if (offered.length === 0) return null;
  const send = (command: Exclude<CommandName, "start">) => () => {
    const change = () =>
      telling(
        async () =>
          (await post<{ message: string }>("/api/command", { command, workflow: run.workflow, run: run.run })).message,
      );
    const [verb, text] = ASKS[command];
    // On this machine, a pause and a resume lose nothing. In a stack, each change is confirmed.
    if (!isStack && command !== "cancel") return void change();
    ask({
      title: `${verb} ${run.run}?`,
      text: command === "cancel" ? `${text} ${run.pending.toLocaleString("en")} items are pending.` : text,
      command: runCommand(command, run.run, flags),
      verb,
      isDangerous: command === "cancel",
      onYes: () => void change(),
    });
  };
  return (
    <section aria-label="Change the run" class="actions">
      {offered.map((command) => (
        <CommandButton
          key={command}
          label={command === "pause" ? "Pause" : command === "resume" ? "Resume" : "Cancel…"}
          command={runCommand(command, run.run, flags)}
          onClick={send(command)}
          disabled={!writable}
          kind={command === "cancel" ? "danger" : "main"}
        />
      ))}
      {!writable && <p class="muted">The stack is shown without changing it. Start npx sluice ui with --write.</p>}
    </section>
  );
}
