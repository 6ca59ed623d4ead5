import { SourceError, toError } from "../base/errors.ts";
import { Throttled } from "../base/task-errors.ts";

/**
 * Errors of PostgreSQL that every later attempt would meet too, by their codes.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const LASTING: Readonly<Record<string, string>> = {
  "3D000": "Correct the name of the database in connect",
  "3F000": "Correct the schema in the option table",
  "42P01": "Correct the option table: an unquoted name in create table is lower-case in the database",
  "42703": "Correct the option key: an unquoted name in create table is lower-case in the database",
  "42702": "Give the columns of the query different names with as",
  "42601": "Correct the option query: it must be one select statement",
  "42P21": "The columns of the key need one collation: add collate to the query",
  "42P22": "The columns of the key need one collation: add collate to the query",
  "42883": "The type of a column of the key has no order: use other columns, or cast it in the query",
  "42501":
    "Grant the user of connect the right: grant select on TABLE to USER, and grant usage on schema SCHEMA to USER",
  "25006": "A source must only read: leave out of the query what writes",
};

/** The server has no connection left, or does not accept any yet. */
const BUSY = ["53300", "53400", "57P03"];

/** The errors of Node and OpenSSL when nobody that the client trusts has signed the certificate of the server. */
const UNTRUSTED = [
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
];

/** What failed. */
export interface FailedStatement {
  /** Such as `read the table users`. */
  readonly action: string;
  /** The host and the database, for messages. */
  readonly place: string;
  readonly signal: AbortSignal;
  /** How to fix a page that takes too long. */
  readonly slow: string;
}

/** The error that a source throws when PostgreSQL refused a statement or a connection. */
export function postgresFailure(thrown: unknown, { action, place, signal, slow }: FailedStatement): unknown {
  if (signal.aborted) return signal.reason;
  if (thrown instanceof SourceError) return thrown;
  const error = toError(thrown) as Error & { readonly code?: unknown };
  const code = typeof error.code === "string" ? error.code : "";
  // An attempt to connect to several addresses fails with an AggregateError, which has no message.
  const because = `cannot ${action} (${place}): ${error.message || code || error.name}`;
  if (BUSY.includes(code)) return new Throttled(undefined, { message: because, cause: thrown });
  const fix = LASTING[code];
  if (fix !== undefined) return new SourceError(`${because}. ${fix}`, { cause: thrown, permanent: true });
  const hint = hintOf(code, error.message, slow);
  return new SourceError(hint === undefined ? because : `${because}. ${hint}`, { cause: thrown });
}

function hintOf(code: string, message: string, slow: string): string | undefined {
  if (code === "57014") return slow;
  if (code.startsWith("28")) return "Correct the user and the password in connect";
  if (UNTRUSTED.includes(code)) {
    return (
      'Set connect.tls to { ca: "path/of/authorities.pem" }. For RDS, the file is ' +
      "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
    );
  }
  if (message.includes("does not support SSL")) {
    return 'Switch TLS on at the server. Only if the network is trusted, set connect.tls to "disable"';
  }
  if (
    ["ECONNREFUSED", "ENOTFOUND", "ETIMEDOUT", "EHOSTUNREACH"].includes(code) ||
    message.includes("timeout expired")
  ) {
    return "Check the host and the port, that its security group admits the producer, and that the producer is in its VPC";
  }
  return undefined;
}
