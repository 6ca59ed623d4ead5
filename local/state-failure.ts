import { SluiceError, toError } from "../shared/base/errors.ts";

/** https://www.sqlite.org/rescode.html: the lowest eight bits of a code are its primary code. */
const SQLITE_PRIMARY_BITS = 0xff;
const SQLITE_DAMAGED = new Set([11, 26]);
const SQLITE_FULL = 13;
/** PERM, READONLY, IOERR, CANTOPEN, AUTH. */
const SQLITE_UNUSABLE = new Set([3, 8, 10, 14, 23]);

const FULL = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);
const UNUSABLE = new Set(["EROFS", "EACCES", "EPERM", "ENOTDIR", "EISDIR", "EMFILE", "ENFILE", "EIO"]);

/** What the operating system says in the errors of LevelDB, which have no error number. */
const FULL_TEXT = /no space left|quota exceeded|file too large/i;
const UNUSABLE_TEXT = /read-only file system|permission denied|not permitted|too many open files/i;

/**
 * - `full`: the disk is full.
 * - `damaged`: a file of the state does not have the content that was written.
 * - `unusable`: the files cannot be read or written, for example because they are read-only.
 */
export type StateFailure = "full" | "damaged" | "unusable";

/** Why the disk or a file of the state made an operation fail. `undefined`: the error has another reason. */
export function stateFailureOf(error: unknown): StateFailure | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code = "", errcode } = at as Error & { readonly code?: unknown; readonly errcode?: unknown };
    if (code === "ERR_SQLITE_ERROR") return ofSqlite(Number(errcode) & SQLITE_PRIMARY_BITS);
    if (String(code).startsWith("LEVEL_")) {
      if (FULL_TEXT.test(at.message)) return "full";
      if (UNUSABLE_TEXT.test(at.message)) return "unusable";
      if (code === "LEVEL_CORRUPTION" || code === "LEVEL_IO_ERROR") return "damaged";
    }
    if (FULL.has(String(code))) return "full";
    if (UNUSABLE.has(String(code))) return "unusable";
  }
  return undefined;
}

function ofSqlite(primary: number): StateFailure | undefined {
  if (primary === SQLITE_FULL) return "full";
  if (SQLITE_DAMAGED.has(primary)) return "damaged";
  return SQLITE_UNUSABLE.has(primary) ? "unusable" : undefined;
}

/**
 * The error for a file or a directory of the state that cannot be used.
 *
 * @param place The file or directory.
 * @param cause The error of the operation, or a description of the damage.
 */
export function stateError(failure: StateFailure, place: string, cause: unknown): SluiceError {
  const why = typeof cause === "string" ? cause : toError(cause).message;
  const options = cause instanceof Error ? { cause } : {};
  switch (failure) {
    case "full":
      return new SluiceError(
        "STATE_FULL",
        `${place} cannot be written, because the disk is full (${why}). Nothing that was acknowledged is lost. Free space on ` +
          "the disk, then continue the run with: npx sluice resume",
        options,
      );
    case "damaged":
      return new SluiceError(
        "STATE_DAMAGED",
        `${place} is damaged: ${why}. Its runs, messages and dead letters can no longer be trusted. Restore the state ` +
          "directory from a backup, move it away, or delete it and start anew with: npx sluice run <workflow> --fresh",
        options,
      );
    case "unusable":
      return new SluiceError(
        "STATE_UNUSABLE",
        `${place}, where queues and ledger are kept, cannot be used: ${why}. Run the command in a directory that you can ` +
          "write, or fix the permissions of this one",
        options,
      );
  }
}

/**
 * Runs `work`, which reads or writes files of the state.
 *
 * @throws {SluiceError} `STATE_FULL`, `STATE_DAMAGED`, or for any other error of `work` `STATE_UNUSABLE`. An error of Sluice
 *   stays as it is.
 */
export function usable<T>(place: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof SluiceError) throw cause;
    throw stateError(stateFailureOf(cause) ?? "unusable", place, cause);
  }
}
