import { cpSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { inject } from "vitest";
import { CliWorld } from "./cli.ts";
import { temporaryDirectory } from "./test-engine.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Where the test files of one gate share their worlds. */
    readonly worlds: string;
  }
}

const WAIT_MILLISECONDS = 100;

let ownDirectory: string | undefined;

/** The directory that `share-worlds.ts` has made. Without it, the files of this process share one. */
function directory(): string {
  const shared: string | undefined = inject("worlds");
  if (shared !== undefined) return shared;
  if (ownDirectory === undefined) {
    const own = temporaryDirectory();
    process.once("exit", () => own[Symbol.dispose]());
    ownDirectory = own.path;
  }
  return ownDirectory;
}

/**
 * Returns a world that is made once for all test files: the first file that asks makes it, and the others wait. A test
 * must not run commands in it. It copies the world: `new CliWorld(shared)`.
 *
 * @param make Runs the commands whose state is shared.
 */
export async function sharedWorld(
  name: string,
  make: (world: CliWorld) => Promise<void>,
): Promise<{ readonly path: string }> {
  const path = join(directory(), name);
  const claim = `${path}.making`;
  while (!existsSync(path)) {
    if (!claimed(claim)) {
      await setTimeout(WAIT_MILLISECONDS);
      continue;
    }
    try {
      // Another file may have made it just now.
      if (existsSync(path)) continue;
      using world = new CliWorld();
      await make(world);
      // The copy has another name until it is whole.
      cpSync(world.path, `${path}.copy`, { recursive: true });
      renameSync(`${path}.copy`, path);
    } finally {
      // After a failure, the next file tries again.
      rmSync(claim, { recursive: true });
    }
  }
  return { path };
}

/** Whether this process is the first to make the directory. */
function claimed(claim: string): boolean {
  try {
    mkdirSync(claim);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}
