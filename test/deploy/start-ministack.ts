import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";
import { installPython, pythonCommand } from "./python.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Where ministack listens. */
    endpoint: string;
    /** What it wrote, the functions' output included. */
    ministackLog: string;
    /** A directory for what the tests write, removed after them. */
    workspace: string;
  }
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const START_MILLISECONDS = 300_000;

/** Starts ministack before all tests, on the loopback interface and a free port, and ends it after them. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await installPython();
  const workspace = mkdtempSync(join(tmpdir(), "sluice-deploy-"));
  const port = await freePort();
  const ministackLog = join(workspace, "ministack.log");
  const log = openSync(ministackLog, "w");
  const child = spawn(pythonCommand("python"), [fileURLToPath(new URL("start_ministack.py", import.meta.url))], {
    // It ends when its standard input does, should this process be killed.
    stdio: ["pipe", log, log],
    // A group of its own, to end it with the functions' processes.
    detached: true,
    env: {
      // Node 24 for the functions.
      PATH: [join(root, "node_modules/.bin"), process.env.PATH].join(delimiter),
      // Lambda's runtime has the AWS SDK. The CDK's function that empties a bucket needs it.
      NODE_PATH: join(root, "node_modules"),
      HOME: workspace,
      TMPDIR: workspace,
      GATEWAY_PORT: String(port),
      BIND_HOST: "127.0.0.1",
      MINISTACK_HOST: "127.0.0.1",
      // Every request is authorised, those of the functions with their roles: a right that is missing shows.
      AUTH: "true",
      // It would tidy up containers otherwise, and nothing here is one.
      DOCKER_HOST: "unix:///nonexistent",
    },
  });
  closeSync(log);
  const exited = once(child, "exit");
  const stop = async () => {
    // All that it knows is in its memory: it has nothing to finish.
    if (child.pid !== undefined) endGroup(child.pid);
    await exited;
    // The functions' processes may still write.
    rmSync(workspace, { recursive: true, force: true, maxRetries: 10 });
  };
  const endpoint = `http://127.0.0.1:${port}`;
  try {
    await untilReady(endpoint, () => child.exitCode === null);
  } catch (cause) {
    const output = readFileSync(ministackLog, "utf8");
    await stop();
    throw new Error(`ministack did not start:\n${output}`, { cause });
  }
  project.provide("endpoint", endpoint);
  project.provide("ministackLog", ministackLog);
  project.provide("workspace", workspace);
  return stop;
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    // Nobody is left in it.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (typeof address !== "object" || address === null) throw new Error("no port is free");
  return address.port;
}

async function untilReady(endpoint: string, isAlive: () => boolean): Promise<void> {
  const end = Date.now() + START_MILLISECONDS;
  while (isAlive() && Date.now() < end) {
    const response = await fetch(`${endpoint}/_ministack/health`).catch(() => undefined);
    if (response?.ok) return;
    await setTimeout(100);
  }
  throw new Error(isAlive() ? `it was not ready after ${START_MILLISECONDS / 1_000} s` : "it ended");
}
