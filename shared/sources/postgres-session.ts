import { readFile } from "node:fs/promises";
import { Socket } from "node:net";
import type { Client, QueryResult } from "pg";
import { SourceError, toError } from "../base/errors.ts";
import type { ConnectionParameters } from "./postgres-connect.ts";
import type { Statement } from "./sql-statements.ts";

/** How long a connection may take, with its TLS handshake and its log-in. */
const CONNECTION_TIMEOUT_MILLISECONDS = 10_000;
/** How much longer than its own timeout the server may take to answer. After this, the network is at fault. */
const NETWORK_MILLISECONDS = 5_000;
/** How long a good-bye to the server may take. */
const END_MILLISECONDS = 1_000;

/**
 * A connection to PostgreSQL. Each statement runs in a read-only transaction of its own, which holds nothing on the server
 * once the rows are there. So nothing is held when Lambda freezes the environment between two invocations, and a pooler
 * such as PgBouncer or RDS Proxy can give the connection to others between two pages.
 *
 * The settings belong to the transaction and not to the session, because a pooler hands out sessions with other settings,
 * and refuses settings at the start of a session.
 */
export class PostgresSession {
  readonly #client: Client;
  readonly #socket: Socket;
  readonly #statementMilliseconds: number;
  #isBusy = false;

  private constructor(client: Client, socket: Socket, statementMilliseconds: number) {
    this.#client = client;
    this.#socket = socket;
    this.#statementMilliseconds = statementMilliseconds;
  }

  /** @throws {Error} The connection failed, or the package `pg` is missing. */
  static async open(
    parameters: ConnectionParameters,
    { statementMilliseconds }: { readonly statementMilliseconds: number },
  ): Promise<PostgresSession> {
    const { Client } = await loadPg();
    const { tls, ...server } = parameters;
    const socket = new Socket();
    const client = new Client({
      ...server,
      ssl: tls === "disable" ? false : tls === "verify" ? {} : { ca: await readAuthorities(tls.ca) },
      connectionTimeoutMillis: CONNECTION_TIMEOUT_MILLISECONDS,
      keepAlive: true,
      application_name: "sluice",
      stream: () => socket,
    });
    // The connection can end between two statements. The next statement then fails.
    client.on("error", () => {});
    await client.connect().catch((error) => {
      socket.destroy();
      throw error;
    });
    return new PostgresSession(client, socket, statementMilliseconds);
  }

  /** Runs one statement in a read-only transaction, and returns its rows as texts. */
  async query({ text, values }: Statement<string>): Promise<QueryResult> {
    this.#isBusy = true;
    const timeout = this.#statementMilliseconds + NETWORK_MILLISECONDS;
    const { promise: silence, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      this.#socket.destroy();
      reject(new Error(`the server did not answer within ${timeout / 1_000} s`));
    }, timeout);
    try {
      return await Promise.race([this.#transaction(text, values), silence]);
    } finally {
      clearTimeout(timer);
      this.#isBusy = false;
    }
  }

  async #transaction(text: string, values: readonly string[]): Promise<QueryResult> {
    await this.#client.query(`begin transaction read only; ${settings(this.#statementMilliseconds)}`);
    const result = await this.#client.query({ text, values, rowMode: "array", types: AS_TEXT });
    await this.#client.query("commit");
    return result;
  }

  /** Closes the connection. While a statement runs, the socket is destroyed, and the server ends the statement by its timeout. */
  close(): void {
    if (this.#isBusy) {
      this.#socket.destroy();
      return;
    }
    const timer = setTimeout(() => this.#socket.destroy(), END_MILLISECONDS);
    const ended = () => {
      clearTimeout(timer);
      this.#socket.destroy();
    };
    this.#client.end().then(ended, ended);
  }
}

const AS_TEXT = { getTypeParser: () => (text: string) => text };

/**
 * Settings with which each text of a value is exact, and means the same on every server: in UTF-8, with times in UTC, with
 * all digits of a float, and with bytes in hexadecimal digits.
 * https://www.postgresql.org/docs/current/runtime-config-client.html
 */
const settings = (statementMilliseconds: number): string =>
  Object.entries({
    client_encoding: "UTF8",
    timezone: "UTC",
    datestyle: "ISO",
    intervalstyle: "iso_8601",
    extra_float_digits: "3",
    bytea_output: "hex",
    lc_monetary: "C",
    statement_timeout: String(statementMilliseconds),
    lock_timeout: String(statementMilliseconds),
    // A frozen environment must not hold a transaction open.
    idle_in_transaction_session_timeout: String(statementMilliseconds + NETWORK_MILLISECONDS),
  })
    .map(([name, value]) => `set local ${name} = '${value}'`)
    .join("; ");

async function readAuthorities(path: string): Promise<string> {
  return await readFile(path, "utf8").catch((cause) => {
    throw new SourceError(
      `cannot read the file of connect.tls.ca: ${toError(cause).message}. The path is relative to the working directory`,
      { cause, permanent: true },
    );
  });
}

/** What to do if `pg` is not installed. */
export const MISSING_PG =
  "postgresRows(...) needs the package pg, which is not installed: run npm install pg, and deploy the workflow again";

/** `pg` is an optional peer dependency, so only workflows that read from PostgreSQL need it. */
async function loadPg(): Promise<{ readonly Client: typeof Client }> {
  try {
    // A bundler must not fail if the package is missing, and esbuild only warns about an import inside of `try`.
    return (await import("pg")).default;
  } catch (cause) {
    const { code } = toError(cause) as NodeJS.ErrnoException;
    const isMissing = code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND";
    throw new SourceError(isMissing ? MISSING_PG : `cannot load the package pg: ${toError(cause).message}`, {
      cause,
      permanent: true,
    });
  }
}
