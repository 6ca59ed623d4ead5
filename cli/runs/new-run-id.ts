import { randomBytes } from "node:crypto";

/**
 * A new run's id, such as `20261122-081530-3fa9`. Ids sort by time. Two ids of the same second differ in their random
 * part.
 */
export function newRunId(): string {
  const time = new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-");
  return `${time}-${randomBytes(2).toString("hex")}`;
}
