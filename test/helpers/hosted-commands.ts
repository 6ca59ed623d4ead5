import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type CommandAnswer, type CommandRequest, markOf } from "./command-protocol.ts";

const HOST = fileURLToPath(new URL("command-host.ts", import.meta.url));

/** What a command printed, and its exit code. */
export interface Printed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

let host: ChildProcess | undefined;
let numbers = 0;
let last: Promise<unknown> = Promise.resolve();

/** Runs a command to its end in the host, after those before it. The host ends with this process. */
export function runHosted(request: Omit<CommandRequest, "number">): Promise<Printed> {
  const printed = last.then(() => runNow({ ...request, number: ++numbers }));
  last = printed.catch(() => {});
  return printed;
}

async function runNow(request: CommandRequest): Promise<Printed> {
  host ??= startHost();
  const { send, stdout, stderr } = host;
  const ends = [textUntilMark(stdout, request.number), textUntilMark(stderr, request.number)] as const;
  const answered = new Promise<CommandAnswer>((resolve, reject) => {
    host?.once("message", resolve);
    host?.once("exit", (code) => reject(new Error(`the command "${request.words.join(" ")}" ended its host: ${code}`)));
  });
  send.call(host, request);
  const { code } = await answered;
  host.removeAllListeners("exit");
  const [out, err] = await Promise.all(ends);
  return { code, stdout: out, stderr: err };
}

function startHost(): ChildProcess {
  const child = fork(HOST, { execArgv: ["--no-warnings"], stdio: ["ignore", "pipe", "pipe", "ipc"] });
  child.stdout?.setEncoding("utf8");
  child.stderr?.setEncoding("utf8");
  return child;
}

function textUntilMark(stream: NodeJS.ReadableStream | null, number: number): Promise<string> {
  const mark = markOf(number);
  return new Promise((resolve) => {
    let text = "";
    const onData = (chunk: string) => {
      text += chunk;
      if (!text.endsWith(mark)) return;
      stream?.off("data", onData);
      resolve(text.slice(0, -mark.length));
    };
    stream?.on("data", onData);
  });
}
