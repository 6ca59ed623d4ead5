import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

/** Where Debian, Ubuntu and Alpine put it; `CHROMIUM` names another place. */
const PLACES = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser"];

/** The Chromium of this machine; `undefined` where there is none. */
export const CHROMIUM = PLACES.find((place) => place !== undefined && existsSync(place));

if (CHROMIUM === undefined) {
  console.warn(
    "Skipped: the browser test needs Chromium, which is not installed here. As root: apt-get install chromium. " +
      "The variable CHROMIUM names one elsewhere.",
  );
}

/** Starts it without a window. It resolves `names` to loopback, as after DNS rebinding, and no other name. */
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
      // New versions ask the user before a page reaches loopback. Others, and other browsers, do not.
      "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets",
      // Chromium refuses to start its sandbox for root, and in containers.
      "--no-sandbox",
      "--disable-dev-shm-usage",
    ],
  });
}
