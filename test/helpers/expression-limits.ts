import { toExpressions } from "../../shared/aws/dynamodb-table.ts";
import type { Update } from "../../shared/aws/table.ts";

/**
 * The longest expression, and the most operators and functions in it. dynalite enforces neither.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
 */
const MOST_BYTES = 4_096;
const MOST_OPERATORS = 300;

const OPERATORS = /\b(?:AND|OR|NOT|IN|BETWEEN|attribute_\w+|contains|size|if_not_exists)\b|<=|>=|<>|[=<>+]/g;

/** @throws {Error} DynamoDB would refuse an expression of the update. */
export function checkExpressions(update: Update): void {
  const { UpdateExpression, ConditionExpression } = toExpressions(update);
  for (const expression of [UpdateExpression, ConditionExpression]) {
    if (expression === undefined) continue;
    const bytes = Buffer.byteLength(expression);
    const operators = expression.match(OPERATORS)?.length ?? 0;
    if (bytes > MOST_BYTES) throw new Error(`an expression has ${bytes} bytes, but DynamoDB allows ${MOST_BYTES}`);
    if (operators > MOST_OPERATORS) {
      throw new Error(`an expression has ${operators} operators, but DynamoDB allows ${MOST_OPERATORS}`);
    }
  }
}
