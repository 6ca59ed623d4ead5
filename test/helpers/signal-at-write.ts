/**
 * Environment variables of a command that gets a signal at a certain point: as soon as it has written a file. A test that
 * waits for the file and then sends the signal would be too late on a busy machine.
 *
 * @param signal `SIGKILL` also ends the processes of the command's process group.
 */
export function signalAtWrite(fileName: string, signal: "SIGINT" | "SIGKILL"): Readonly<Record<string, string>> {
  const code = `
    import fs from "node:fs";
    import { syncBuiltinESMExports } from "node:module";
    const { renameSync } = fs;
    // Files of the state directory are written under another name, and then renamed.
    fs.renameSync = (from, to) => {
      renameSync(from, to);
      if (String(to).endsWith(${JSON.stringify(`/${fileName}`)})) process.kill(${signal === "SIGKILL" ? "0" : "process.pid"}, "${signal}");
    };
    syncBuiltinESMExports();`;
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}` };
}
