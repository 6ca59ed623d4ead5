import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

/** The paths of Chromium on Debian, Ubuntu and Alpine. The variable `CHROMIUM` can name another path. */
const PLACES = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser"];

/** The path of Chromium on this machine. `undefined` if there is none. */
export const CHROMIUM = PLACES.find((place) => place !== undefined && existsSync(place));

if (CHROMIUM === undefined) {
  console.warn(
    "Skipped: the browser test needs Chromium, which is not installed here. As root: apt-get install chromium. " +
      "The variable CHROMIUM names one elsewhere.",
  );
}

/** Starts Chromium without a window. It resolves only `names`, to loopback, as after DNS rebinding. */
export async function launchChromium(names: readonly string[]): Promise<Browser> {
  const rules = [
    ...names.map((name) => `MAP ${name} 127.0.0.1`),
    "MAP * ~NOTFOUND",
    "EXCLUDE 127.0.0.1",
    "EXCLUDE localhost",
  ];
  return await chromium.launch({
    ...(CHROMIUM !== undefined && { executablePath: CHROMIUM }),
    args: [
      `--host-resolver-rules=${rules.join(", ")}`,
      // New versions ask the user before a page can reach loopback. Older versions and other browsers do not.
      "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets",
      // Chromium refuses to start its sandbox for root, and in containers.
      "--no-sandbox",
      "--disable-dev-shm-usage",
    ],
  });
}
