import { JMESPathError, JMESPathTypeError, search } from "@aws-lambda-powertools/jmespath";
import { InvalidArgumentError } from "commander";

/** A JMESPath expression that filters dead letters. */
export interface Where {
  readonly expression: string;
  /** Whether the expression is true for a dead letter. By JMESPath's rules, false, null, "", [] and {} are not true. */
  holds(deadLetter: object): boolean;
  /** For how many dead letters the expression could not be evaluated, because a value has the wrong type for a function. */
  readonly unanswered: number;
  /** The error of the latest evaluation that failed. */
  readonly because: string | undefined;
}

/**
 * Parses an option's JMESPath expression.
 *
 * @throws {InvalidArgumentError} The expression is invalid. The message says where.
 * @example
 * ```ts
 * where("item.country == 'FR' && attempts > `2`").holds(deadLetter)
 * ```
 */
export function where(expression: string): Where {
  try {
    // The library parses an expression when it evaluates it, and caches the result.
    search(expression, {});
  } catch (error) {
    // On an empty object, a function may get a value of the wrong type. That is no fault of the expression.
    if (!(error instanceof JMESPathTypeError)) throw new InvalidArgumentError(explain(expression, error));
  }
  let unanswered = 0;
  let because: string | undefined;
  return {
    expression,
    holds(deadLetter) {
      try {
        return isTrue(search(expression, deadLetter as Parameters<typeof search>[1]));
      } catch (error) {
        if (!(error instanceof JMESPathTypeError)) throw new InvalidArgumentError(explain(expression, error));
        unanswered++;
        because = error.message;
        return false;
      }
    },
    get unanswered() {
      return unanswered;
    },
    get because() {
      return because;
    },
  };
}

// https://jmespath.org/specification.html#or-expressions
function isTrue(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === "") return false;
  return typeof value !== "object" || Object.keys(value).length > 0;
}

function explain(expression: string, error: unknown): string {
  const text = error instanceof JMESPathError ? error.message : String(error);
  // Commander's message already shows the option's value.
  const why = text.replace(/^(Bad|Invalid) jmespath expression: /, "").replace(/ (in|for) expression: .*$/s, "");
  // Hints for the two most common mistakes.
  const hint = /[=<>!]=?\s*-?\d/.test(expression)
    ? " A number is written in backticks: 'item.id > `3`'."
    : /[^=<>!]=[^=]/.test(expression)
      ? " Two values are compared with ==."
      : "";
  return `It must be a JMESPath expression: ${why}.${hint}`;
}
