import { ROW_RETENTION_SECONDS } from "../../shared/aws/table.ts";
import { ConfigurationError } from "../../shared/base/errors.ts";
import type { RunRecord } from "../../shared/ledger/run-record.ts";
import type { RunTarget } from "../targets/target.ts";

const DAY = 86_400_000;

/**
 * The longest pause after which a run can be resumed. A run may have worked for some time before its pause, so its oldest
 * rows expire earlier than those written last.
 */
const LONGEST_PAUSE_DAYS = ROW_RETENTION_SECONDS / 86_400 - 35;

/**
 * Refuses to continue a run whose pages may be missing in the ledger. Their items would run again, and would be counted
 * twice. The embedded engine deletes no rows.
 *
 * @param now Milliseconds since 1970.
 * @throws {ConfigurationError} The run has been paused for more than a year, on AWS.
 */
export function checkRowsExist(
  run: RunRecord,
  { local, where }: Pick<RunTarget, "local" | "where">,
  now: number,
): void {
  if (local !== undefined || run.pausedAt === undefined) return;
  if (now - Date.parse(run.pausedAt) <= LONGEST_PAUSE_DAYS * DAY) return;
  throw new ConfigurationError(
    `run ${run.id} on ${where} has been paused since ${run.pausedAt}, for more than ${LONGEST_PAUSE_DAYS} days: DynamoDB may ` +
      "have deleted parts of its ledger, so it cannot be resumed. Start a new run",
  );
}
