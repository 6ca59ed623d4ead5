import { spawn } from "node:child_process";

/** The command that opens a URL in the user's browser. */
function opener(platform: NodeJS.Platform): readonly [command: string, ...words: string[]] {
  if (platform === "darwin") return ["open"];
  // `start` takes its first quoted word for a title.
  if (platform === "win32") return ["cmd", "/c", "start", '""'];
  return ["xdg-open"];
}

/** Opens a URL in the user's browser. Does nothing if there is none: the URL is printed, too. */
export function openBrowser(url: string): void {
  const [command, ...words] = opener(process.platform);
  const child = spawn(command, [...words, url], { stdio: "ignore", detached: true });
  child.on("error", () => {});
  child.unref();
}
