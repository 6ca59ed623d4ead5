import { once } from "node:events";
import { stateRoot } from "../../local/state-root.ts";
import { ConfigurationError } from "../../shared/base/errors.ts";
import { PrivateFiles } from "../../ui/server/private-files.ts";
import { type Dashboard, startDashboard } from "../../ui/server/server.ts";
import type { UiOptions } from "../commands/ui.ts";
import { say } from "../screens/paragraph.ts";
import { writeJson } from "../screens/write-json.ts";
import { LocalPlace } from "./local-place.ts";
import { openBrowser } from "./open-browser.ts";
import { StackPlace } from "./stack-place.ts";

/** Serves the dashboard until Ctrl-C. */
export async function serveDashboard(options: UiOptions): Promise<void> {
  const { stack, region, profile, write, port, json } = options;
  if (stack === undefined && (region !== undefined || profile !== undefined)) {
    throw new ConfigurationError("--region and --profile need a deployed stack: add --stack");
  }
  const place = stack === undefined ? new LocalPlace() : new StackPlace({ stack, region, profile, write } as never);
  let dashboard: Dashboard;
  try {
    dashboard = await startDashboard({ place, files: new PrivateFiles(stateRoot()), port });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EADDRINUSE") throw cause;
    throw new ConfigurationError(`port ${port} is in use: choose another one with --port, or leave --port out`, {
      cause,
    });
  }
  const { url } = dashboard;
  if (json) writeJson({ type: "dashboard", url });
  else say(`The dashboard is at ${url}\nPress Ctrl-C to end it.`);
  // `sluice run --ui` waits for the URL.
  process.send?.({ url });
  if (options.open && process.stdout.isTTY) openBrowser(url);
  await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM"), parentGone()]);
  await dashboard.close();
  // Connections to services that have ended must not delay the end.
  process.exit(0);
}

/** Resolves when the command that started this one has ended. Never resolves without such a command. */
async function parentGone(): Promise<void> {
  if (process.send === undefined) return await new Promise(() => {});
  await once(process, "disconnect");
}
