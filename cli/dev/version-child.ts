/**
 * The process of one version of the workflow in `sluice dev`. It bundles and loads the version, tells of it, and waits. When
 * it is told to run, it starts the engine. It ends when it is told to, or when `sluice dev` has ended.
 */

import { isSluiceError } from "../../shared/base/errors.ts";
import { PrivateChannel } from "../../shared/base/private-channel.ts";
import { DevEngine } from "./dev-engine.ts";
import { prepareVersion, removeBundles } from "./prepare-version.ts";
import type { FromVersion, ToVersion, VersionInput } from "./protocol.ts";
import { reported } from "./reported.ts";

const channel = await PrivateChannel.toParent();
const tell = (message: FromVersion) => channel.send(message);

// A version must not outlive its command. The state survives that.
channel.onClose(() => process.exit(1));
for (const event of ["uncaughtException", "unhandledRejection"] as const) {
  process.on(event, (error) => endWith({ type: "failed", error: reported(error), isFatal: true }));
}

/** Errors of the version itself: another version may not have them. */
const OF_VERSION = new Set(["CONFIGURATION", "FUNCTION_FAILED"]);

const input: VersionInput = JSON.parse(process.argv[2] ?? "");
const version = await prepareVersion(input);
if ("type" in version) endWith(version);
else {
  let engine: Promise<DevEngine> | undefined;
  const fail = (error: unknown) => {
    removeBundles(version.state);
    const isFatal = !isSluiceError(error) || !OF_VERSION.has(error.code);
    endWith({ type: "failed", error: reported(error), isFatal });
  };
  channel.onMessage((received) => {
    const message = received as ToVersion;
    if (message.type === "run") {
      engine = DevEngine.start({ ...input, version, expected: message.expected, tell });
      engine.catch(fail);
    } else if (message.type === "start") {
      engine?.then((running) => running.request(message)).catch(fail);
    } else {
      void (engine ?? Promise.resolve(undefined))
        .then(async (running) => {
          await running?.stop(message.milliseconds);
          process.exit(0);
        })
        .catch(fail);
    }
  });
  tell(version.loaded);
}

function endWith(message: FromVersion): void {
  channel.send(message, () => process.exit(1));
}
