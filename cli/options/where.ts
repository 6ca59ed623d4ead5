import { JMESPathError, JMESPathTypeError, search } from "@aws-lambda-powertools/jmespath";
import { InvalidArgumentError } from "commander";

/** A JMESPath expression that is asked of letters. */
export interface Where {
  readonly expression: string;
  /** Whether it is true of a dead letter, as JMESPath has it: false, null, "", [] and {} are not. */
  holds(deadLetter: object): boolean;
  /** Dead letters of which it could not be asked, because something in them is not of the type that a function takes. */
  readonly unanswered: number;
  /** Why, of the latest. */
  readonly because: string | undefined;
}

/**
 * Reads an option's JMESPath expression.
 *
 * @throws {InvalidArgumentError} It is none. The message says where.
 * @example
 * ```ts
 * where("item.country == 'FR' && attempts > `2`").holds(dead letter)
 * ```
 */
export function where(expression: string): Where {
  try {
    // The library reads an expression when it is asked, and keeps what it read.
    search(expression, {});
  } catch (error) {
    // Asked of nothing, a function may well lack what it needs.
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
  // The option's value stands beside it already.
  const why = text.replace(/^(Bad|Invalid) jmespath expression: /, "").replace(/ (in|for) expression: .*$/s, "");
  // The two that everybody trips over.
  const hint = /[=<>!]=?\s*-?\d/.test(expression)
    ? " A number is written in backticks: 'item.id > `3`'."
    : /[^=<>!]=[^=]/.test(expression)
      ? " Two values are compared with ==."
      : "";
  return `It must be a JMESPath expression: ${why}.${hint}`;
}
