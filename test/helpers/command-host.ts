/**
 * Runs commands one after another in this process, as `cli/sluice.ts` would in a process of its own: a command loads
 * modules for a second and works for a tenth of one. Each request over the IPC channel is one command; the host answers when
 * it has ended.
 */
import { pathToFileURL } from "node:url";
// esbuild works in the directory in which its module was loaded. That of a command is removed after its test.
import "esbuild";
import { CLI } from "./cli-file.ts";
import { type CommandAnswer, type CommandRequest, markOf } from "./command-protocol.ts";

async function run({ number, words, directory, environment }: CommandRequest): Promise<number> {
  process.chdir(directory);
  for (const name of Object.keys(process.env)) delete process.env[name];
  for (const [name, value] of Object.entries(environment)) if (value !== undefined) process.env[name] = value;
  process.argv = [process.execPath, CLI, ...words];
  process.exitCode = undefined;
  // Another query is another module: its code runs again, and the modules that it imports stay as they are.
  await import(`${pathToFileURL(CLI).href}?command=${number}`);
  const code = Number(process.exitCode ?? 0);
  process.exitCode = undefined;
  process.stdout.removeAllListeners("error");
  return code;
}

process.on("disconnect", () => process.exit());
process.on("message", async (request: CommandRequest) => {
  const { number } = request;
  const code = await run(request).catch((error) => {
    console.error(error);
    return 1;
  });
  process.stdout.write(markOf(number));
  process.stderr.write(markOf(number));
  process.send?.({ number, code } satisfies CommandAnswer);
});
