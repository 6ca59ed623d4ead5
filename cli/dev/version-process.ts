import { spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { PrivateChannel } from "../../shared/base/private-channel.ts";
import type { FromVersion, ToVersion, VersionInput } from "./protocol.ts";

const ENTRY = fileURLToPath(new URL(`./version-child${extname(import.meta.url)}`, import.meta.url));

/** How long messages of a process that has ended may take. */
const LAST_MESSAGES_MILLISECONDS = 500;

/** The process of one version of the workflow. */
export interface VersionProcess {
  send(message: ToVersion): void;
  /** Ends the process and its bundler at once. The engine's watchdog ends the execution environments. */
  kill(): void;
  /** Resolves with how the process ended: "exit code 1" or "signal SIGKILL". */
  readonly ended: Promise<string>;
}

export interface VersionObserver {
  readonly onMessage: (message: FromVersion) => void;
  /** Called with what the user's modules print while they are loaded. */
  readonly onOutput: (text: string) => void;
}

/** Starts the process of a version. */
export type StartVersion = (
  input: VersionInput,
  variables: Readonly<Record<string, string | undefined>>,
  observer: VersionObserver,
) => VersionProcess;

export const startVersionProcess: StartVersion = (input, variables, { onMessage, onOutput }) => {
  const child = spawn(process.execPath, ["--no-warnings", ENTRY, JSON.stringify(input)], {
    env: { NODE_COMPILE_CACHE: join(tmpdir(), "node-compile-cache"), ...variables },
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    // Ctrl-C reaches only `sluice dev`, which decides when its versions end. A version ends with `sluice dev`, because the
    // channel closes.
    detached: true,
  });
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", onOutput);
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    const end = (code: number | null, signal: string | null) =>
      resolve(signal === null ? `exit code ${code}` : `signal ${signal}`);
    // After `exit`, messages may still arrive. A process that the user's companion started may keep the output open.
    child.once("close", end);
    child.once("exit", (code, signal) => setTimeout(end, LAST_MESSAGES_MILLISECONDS, code, signal));
  });
  const { pid } = child;
  if (pid === undefined) return { send: () => {}, kill: () => {}, ended };
  const channel = PrivateChannel.toChild(child);
  channel.onMessage((message) => onMessage(message as FromVersion));
  return {
    send: (message) => channel.send(message),
    kill: () => {
      try {
        process.kill(-pid, "SIGKILL");
      } catch {
        // It has ended.
      }
    },
    ended,
  };
};
