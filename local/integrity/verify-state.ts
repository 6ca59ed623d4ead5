import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { stateError, stateFailureOf } from "../state-failure.ts";
import { findLostWrites } from "./acknowledged-log.ts";
import { type Damage, type FileDigests, findChangedFile } from "./file-digests.ts";
import { findLostCommits } from "./sqlite-wal.ts";

/** The files of a state directory that hold data. */
export interface StateFiles {
  readonly path: string;
  readonly queues: string;
  readonly tables: string;
  /** The note of the acknowledged writes to the tables. */
  readonly acknowledged: string;
}

/** What a state directory says about the files that its last command left. */
export interface LeftFiles {
  /** Whether the command closed its files. Otherwise it was killed. */
  readonly isClosed: boolean;
  readonly files: FileDigests;
}

/** LevelDB never changes a table file, but deletes it once it is merged into others. */
const isImmutable = (name: string): boolean => name.endsWith(".ldb");

/** The files of these whose content never changes. */
export const immutable = (files: FileDigests): FileDigests =>
  Object.fromEntries(Object.entries(files).filter(([name]) => isImmutable(name)));

/**
 * Checks that no acknowledged write is lost. Call it before any of the files is opened.
 *
 * If the last command closed its files, their content must be what it left. If the command was killed, the logs must hold
 * all that was acknowledged, and the database must be consistent. A write that was under way when the command was killed
 * may be incomplete.
 *
 * @throws {SluiceError} `STATE_DAMAGED`: it names the file.
 */
export function verifyState({ path, queues, tables, acknowledged }: StateFiles, left: LeftFiles): void {
  const { isClosed, files } = left;
  const damage = isClosed
    ? findChangedFile(path, files, { mayBeGone: false })
    : (findChangedFile(path, immutable(files), { mayBeGone: true }) ??
      findLostCommits(queues) ??
      findLostWrites(acknowledged, tables) ??
      findInconsistency(queues));
  if (damage !== undefined) throw stateError("damaged", damage.file, damage.what);
}

function findInconsistency(file: string): Damage | undefined {
  if (!existsSync(file)) return undefined;
  try {
    using database = new DatabaseSync(file);
    const { quick_check: found } = database.prepare("PRAGMA quick_check(1)").get() ?? {};
    return found === "ok" ? undefined : { file, what: String(found) };
  } catch (error) {
    if (stateFailureOf(error) === "damaged") return { file, what: (error as Error).message };
    throw error;
  }
}
