import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

/** A server of ours alone, on the loopback interface and a free port. */
export interface PrivateServer {
  readonly port: number;
  stop(): Promise<void>;
}

const READY_MILLISECONDS = 10_000;

/** Without a locale in the environment, PostgreSQL would make a database without an encoding and without ICU's collations. */
const UTF8 = ["--encoding=UTF8", "--locale=C.UTF-8"];

/** What this machine lacks for Redis. */
export const needsRedis = (): string | undefined =>
  spawnSync("redis-server", ["--version"]).error === undefined ? undefined : "not installed: redis-server";

/** What this machine lacks for PostgreSQL. */
export const needsPostgres = (): string | undefined =>
  postgresBinaries() === undefined ? "not installed: postgresql" : undefined;

export const needsPython = (): string | undefined =>
  spawnSync("python3", ["--version"]).status === 0 ? undefined : "not installed: python3";

/** Redis as it is configured when it is installed: in memory, with a snapshot on disk now and then. */
export async function startRedis(directory: string): Promise<PrivateServer> {
  const port = await freePort();
  const options = ["--port", String(port), "--bind", "127.0.0.1", "--dir", directory];
  const server = spawn("redis-server", options, { stdio: "ignore" });
  endWithThisProcess(() => server.kill());
  await until(
    () =>
      spawnSync("redis-cli", ["-p", String(port), "ping"])
        .stdout?.toString()
        .trim() === "PONG",
  );
  return { port, stop: () => stopped(server, () => server.kill()) };
}

/**
 * PostgreSQL as it is configured when it is installed. It refuses to run as root, so then it runs as `postgres`.
 *
 * @param settings Settings that differ. A path is relative to the directory of its data.
 * @param prepare Adds files to the directory of its data, before the server starts.
 */
export async function startPostgres(
  directory: string,
  settings: Readonly<Record<string, string>> = {},
  prepare: (data: string) => void = () => {},
): Promise<PrivateServer & { readonly data: string }> {
  const binaries = postgresBinaries();
  if (binaries === undefined) throw new Error("there is no PostgreSQL on this machine");
  const root = process.getuid?.() === 0;
  const command = (program: string, args: readonly string[]): [string, string[]] =>
    root
      ? ["runuser", ["-u", "postgres", "--", join(binaries, program), ...args]]
      : [join(binaries, program), [...args]];
  const data = join(directory, "postgres");
  if (root) {
    execFileSync("install", ["-d", "-o", "postgres", "-m", "700", data]);
    execFileSync("chmod", ["a+x", directory]);
  }
  execFileSync(...command("initdb", ["-D", data, "-U", "bench", "--auth=trust", "--no-sync", ...UTF8]), {
    stdio: "ignore",
  });
  prepare(data);
  if (root) execFileSync("chown", ["-R", "postgres", data]);
  const port = await freePort();
  const changed = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const options = ["-D", data, "-p", String(port), "-h", "127.0.0.1", "-k", data, ...changed];
  const server = spawn(...command("postgres", options), { stdio: "ignore" });
  // The first line of its lock file: the server itself, and not the program that changed the user.
  const kill = (signal: NodeJS.Signals) => {
    const lock = join(data, "postmaster.pid");
    if (existsSync(lock)) process.kill(Number.parseInt(readFileSync(lock, "utf8"), 10), signal);
  };
  endWithThisProcess(() => kill("SIGQUIT"));
  await until(() => spawnSync(join(binaries, "pg_isready"), ["-h", "127.0.0.1", "-p", String(port)]).status === 0);
  return { port, data, stop: () => stopped(server, () => kill("SIGQUIT")) };
}

/** Debian keeps them out of the path. */
function postgresBinaries(): string | undefined {
  const versions = "/usr/lib/postgresql";
  const debian = existsSync(versions) ? readdirSync(versions).map((version) => join(versions, version, "bin")) : [];
  const whole = (path: string) => ["initdb", "postgres", "pg_isready"].every((name) => existsSync(join(path, name)));
  return [...debian.reverse(), ...(process.env.PATH ?? "").split(":")].find(whole);
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

export async function until(ready: () => boolean): Promise<void> {
  const end = performance.now() + READY_MILLISECONDS;
  while (!ready()) {
    if (performance.now() > end) throw new Error(`the server was not ready within ${READY_MILLISECONDS / 1_000} s`);
    await setTimeout(50);
  }
}

export async function stopped(server: ChildProcess, end: () => void): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exited = once(server, "exit");
  end();
  await exited;
}

/** A side that fails leaves no server behind. */
export function endWithThisProcess(end: () => void): void {
  process.once("exit", end);
}
