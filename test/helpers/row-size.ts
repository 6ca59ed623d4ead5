import type { Row } from "../../shared/aws/table.ts";

/** One write unit covers so many bytes. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html */
export const WRITE_UNIT_BYTES = 1_024;

/**
 * The size of a row of texts and numbers, as DynamoDB bills it.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
 */
export const rowSize = (row: Row): number =>
  Object.entries(row).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + valueSize(value), 0);

function valueSize(value: unknown): number {
  if (typeof value === "number") {
    const significant = String(Math.abs(value))
      .replace(".", "")
      .replace(/^0+|0+$/g, "");
    return Math.ceil(significant.length / 2) + 1 + (value < 0 ? 1 : 0);
  }
  if (typeof value === "string") return Buffer.byteLength(value);
  throw new TypeError(`the size of ${typeof value} is not known here`);
}
