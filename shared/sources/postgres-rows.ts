import { createRequire } from "node:module";
import type { QueryResult } from "pg";
import * as z from "zod";
import { secretText } from "../aws/secret-value.ts";
import { type Duration, toMilliseconds } from "../base/duration.ts";
import { ConfigurationError, SourceError, toError } from "../base/errors.ts";
import { integerOption, show } from "../base/options.ts";
import { MOST_PARTITIONS } from "./partition-limits.ts";
import { type TableFacts, tableFacts } from "./postgres-catalog.ts";
import { checkConnect, connectionParameters, type PostgresConnect, secretOf } from "./postgres-connect.ts";
import { postgresFailure } from "./postgres-errors.ts";
import { MISSING_PG, PostgresSession } from "./postgres-session.ts";
import { RowConverter } from "./postgres-values.ts";
import { serviceRefusal } from "./service-refusal.ts";
import type { Page, Partition, ReadContext, Source } from "./source.ts";
import { type SqlRows, type SqlRowsOptions, sqlRows } from "./sql-options.ts";
import { keysetPages, readSqlCursor, refuseNullKeys, type SqlReader, type SqlRow } from "./sql-pages.ts";
import { partitionCount, sampleStatement, sqlPartitions } from "./sql-partitions.ts";
import { nullStatement, pageStatement, type Statement } from "./sql-statements.ts";
import { UnreadableItem } from "./unreadable-item.ts";

/** Options of `postgresRows`. */
export interface PostgresRowsOptions extends SqlRowsOptions {
  readonly connect: PostgresConnect;
  /**
   * `"value"`: columns of the types json and jsonb are values. `"text"`: they are the text that PostgreSQL has. Default
   * `"value"`.
   */
  readonly json?: "value" | "text";
  /** `"list"`: arrays of built-in types are lists. `"text"`: they are texts such as `{1,2}`. Default `"list"`. */
  readonly arrays?: "list" | "text";
  /**
   * Into how many parts the source divides a table: 1 to 10,000. Default: one for each 100,000 rows that the table has by its
   * statistics, and at most 100. A query and a view are not divided. A run still reads the source as one part.
   */
  readonly partitions?: number;
  /** How long the database may work on one page: from 1 second to 100 seconds. Default 30 seconds. */
  readonly statementTimeout?: Duration;
}

const OWN_KEYS = ["connect", "json", "arrays", "partitions", "statementTimeout"];

/** A read of a page may take two minutes, and 20 s before the end of the invocation it is interrupted. */
const LONGEST_STATEMENT = { seconds: 100 } as const;

/**
 * Makes a source from the rows of a table, a view or a query in PostgreSQL, in the order of a key. It needs the package
 * `pg`: `npm install pg`.
 *
 * **Paging.** Each page is one statement: the rows after the last key, with a condition on the key, and never with `OFFSET`.
 * With an index on exactly the columns of the key, a page costs the same at the start and at the end of the table. Without
 * one, each page sorts the table, and the run warns.
 *
 * **Values.** They are exact. Booleans, integers and floats become JSON values, json and jsonb become values, and arrays
 * become lists. bytea becomes base64. Everything else is the text that PostgreSQL writes: numeric, money, uuid, dates, and
 * times with their microseconds, in UTC. A bigint that JavaScript would alter is handled as `unsafeNumbers` says. NaN and
 * the infinities are texts.
 *
 * **Partitions.** A table is divided at some of its keys, which come from a random sample of its blocks. So the parts are
 * about equally large, however the keys are distributed, and no statement sorts the whole table.
 *
 * **Restart.** The cursor is the key of the last row that was read. A row that nobody changes while a run reads is read
 * exactly once. A row that is inserted before the cursor is not read.
 *
 * **The key** must be unique and not null. The source asks the catalog, and where that does not prove it, it checks the rows.
 *
 * **The database.** Each page is a read-only transaction of its own, with a timeout. The connection is opened for a slice of
 * the producer, which takes about a minute, and closed after it. So nothing is open while Lambda freezes the function. The
 * user needs `select` on the table, and no other right.
 *
 * **Rights.** With `connect.secret`, the producer of a deployed workflow gets `secretsmanager:GetSecretValue` on exactly this
 * secret. If the secret is encrypted with a KMS key of yours, add `kms:Decrypt` in `permissions`.
 * https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_iam-policies.html
 *
 * @throws {ConfigurationError} An option is unknown or invalid.
 * @throws {SourceError} While the source is read: `pg` is missing, the database cannot be reached, the table, a column or a
 *   right is missing, or the key is not unique or is null.
 * @example
 * ```ts
 * source: postgresRows({ connect: { url: ({ DATABASE_URL = "" }) => DATABASE_URL }, table: "users", key: "id" }),
 * source: postgresRows({
 *   connect: { secret: ({ DB_SECRET_ARN = "" }) => DB_SECRET_ARN, host: "db.example", database: "shop" },
 *   query: "select id, email from users where active",
 *   key: "id",
 *   unsafeNumbers: "text",
 * }),
 * ```
 */
export function postgresRows<Item = Record<string, unknown>>(options: PostgresRowsOptions): Source<Item> {
  const rows = sqlRows(options, "postgresRows", OWN_KEYS);
  const { connect, json = "value", arrays = "list", statementTimeout = { seconds: 30 } } = options;
  if (connect === undefined) {
    throw new ConfigurationError(
      'postgresRows(...) needs connect: write connect: { url: ({ DATABASE_URL = "" }) => DATABASE_URL }',
    );
  }
  checkConnect(connect);
  checkChoice("json", json, ["value", "text"]);
  checkChoice("arrays", arrays, ["list", "text"]);
  const statementMilliseconds = toMilliseconds(statementTimeout, {
    option: "statementTimeout",
    minimum: { seconds: 1 },
    maximum: LONGEST_STATEMENT,
  });
  if (options.partitions !== undefined) {
    integerOption("partitions", options.partitions, {
      minimum: 1,
      maximum: MOST_PARTITIONS,
      fix: "leave it out for one partition for each 100,000 rows",
    });
  }
  const settings: Settings = {
    rows,
    connect,
    values: { unsafeNumbers: rows.unsafeNumbers, json, arrays },
    statementMilliseconds,
  };
  return {
    files: () => (typeof connect.tls === "object" ? [connect.tls.ca] : []),
    rights(environment) {
      checkPgInstalled();
      const secret = secretOf(connect, environment);
      return secret === undefined ? [] : [{ actions: ["secretsmanager:GetSecretValue"], resources: [secret] }];
    },
    async size(context) {
      for await (const { rows: items } of readWith(settings, context, async function* ({ facts }) {
        yield facts;
      })) {
        return items === undefined ? undefined : { items, isExact: false };
      }
      return undefined;
    },
    async partitions(context) {
      for await (const partitions of readWith(settings, context, (reader) =>
        divide(reader, rows, options.partitions),
      )) {
        return partitions;
      }
      return [];
    },
    async *pages(cursor, context) {
      const start = readSqlCursor(cursor, z.string(), rows, "postgresRows");
      yield* readWith(settings, context, async function* (reader) {
        if (start.after === undefined) warnOfSlowKey(reader.facts, rows, context);
        yield* keysetPages(reader, start, rows) as AsyncGenerator<Page<Item>, void, void>;
      });
    },
  };
}

interface Settings {
  readonly rows: SqlRows;
  readonly connect: PostgresConnect;
  readonly values: ConstructorParameters<typeof RowConverter>[1];
  readonly statementMilliseconds: number;
}

/** Opens a connection, reads with it, and closes it: also when the reading must stop in the middle. */
async function* readWith<Read>(
  settings: Settings,
  { signal }: Pick<ReadContext, "signal">,
  read: (reader: PostgresReader) => AsyncIterable<Read>,
): AsyncGenerator<Read, void, void> {
  const { rows, connect, statementMilliseconds } = settings;
  signal.throwIfAborted();
  const secret = await readSecret(connect, signal);
  const parameters = connectionParameters(connect, process.env, secret);
  const failure = {
    action: `read ${rows.name}`,
    place: `the database ${parameters.database} at ${parameters.host}`,
    signal,
    slow:
      `A page took longer than statementTimeout, ${statementMilliseconds / 1_000} s: make an index on exactly the columns of ` +
      `the key, (${rows.key.join(", ")}), or set a longer statementTimeout`,
  };
  let session: PostgresSession | undefined;
  const stop = () => session?.close();
  try {
    session = await PostgresSession.open(parameters, { statementMilliseconds });
    signal.addEventListener("abort", stop);
    signal.throwIfAborted();
    yield* read(new PostgresReader(session, settings, await tableFacts(session, rows)));
  } catch (thrown) {
    throw postgresFailure(thrown, failure);
  } finally {
    signal.removeEventListener("abort", stop);
    session?.close();
  }
}

/** Yields the partitions of a table, once. */
async function* divide(
  reader: PostgresReader,
  rows: SqlRows,
  wanted: number | undefined,
): AsyncGenerator<readonly Partition[]> {
  const { facts } = reader;
  const parts = facts.canSample ? (wanted ?? partitionCount(facts)) : 1;
  // The cursor of a partition has a bound, and `keysetPages` looks for nulls only where there is none.
  if (parts > 1) await refuseNullKeys(reader, rows);
  yield sqlPartitions(parts > 1 ? await reader.sample(parts) : [], parts);
}

class PostgresReader implements SqlReader<string> {
  readonly facts: TableFacts;
  readonly #session: PostgresSession;
  readonly #settings: Settings;

  constructor(session: PostgresSession, settings: Settings, facts: TableFacts) {
    this.#session = session;
    this.#settings = settings;
    this.facts = facts;
  }

  async read(range: Parameters<SqlReader<string>["read"]>[0]): Promise<readonly SqlRow<string>[]> {
    const { rows, values } = this.#settings;
    const marksEqualKeys = !this.facts.isUnique;
    const result = await this.#query(pageStatement(rows, { range, marksEqualKeys }, DIALECT));
    const columns = result.fields.length - rows.key.length - (marksEqualKeys ? 1 : 0);
    const converter = converterFor(result.fields.slice(0, columns), values, rows);
    const last = columns + rows.key.length;
    return result.rows.map((row) => {
      // No part is null: rows with a null in the key are refused, and no range contains them.
      const key = row.slice(columns, last) as readonly string[];
      return { item: itemOf(row, key, converter, rows), key, isEqualToBefore: row[last] === "t" };
    });
  }

  /** Some keys of the table, in their order. */
  async sample(parts: number): Promise<readonly (readonly string[])[]> {
    const text = sampleStatement(this.#settings.rows, { blocks: this.facts.blocks, parts });
    return (await this.#query({ text, values: [] })).rows as unknown as readonly (readonly string[])[];
  }

  async hasNullKey(): Promise<boolean> {
    if (this.facts.isNeverNull) return false;
    const { rows } = await this.#query({ text: nullStatement(this.#settings.rows), values: [] });
    return rows.length > 0;
  }

  #query(statement: Statement<string>): Promise<QueryResult> {
    return this.#session.query(statement);
  }
}

const DIALECT = { placeholder: (position: number) => `$${position}` };

function converterFor(fields: QueryResult["fields"], values: Settings["values"], { name }: SqlRows): RowConverter {
  try {
    return new RowConverter(fields, values);
  } catch (cause) {
    throw new SourceError(`${name} cannot be read: ${toError(cause).message}`, { cause, permanent: true });
  }
}

function itemOf(
  row: readonly (string | null)[],
  key: readonly string[],
  converter: RowConverter,
  { name, key: columns }: SqlRows,
): unknown {
  try {
    return converter.toItem(row);
  } catch (thrown) {
    return new UnreadableItem({
      raw: JSON.stringify(row),
      error: toError(thrown).message,
      at: `the row of ${name} with ${columns.map((column, index) => `${column} = ${show(key[index])}`).join(", ")}`,
    });
  }
}

async function readSecret(connect: PostgresConnect, signal: AbortSignal): Promise<string | undefined> {
  const secret = secretOf(connect, process.env);
  if (secret === undefined) return undefined;
  return await secretText(secret, process.env, signal).catch((thrown) => {
    throw serviceRefusal(thrown, {
      action: `read the secret ${secret}`,
      right: `secretsmanager:GetSecretValue on ${secret}`,
      signal,
      fixes: { ResourceNotFoundException: "Correct connect.secret: it must be the whole ARN of a secret" },
    });
  });
}

/** At synth, before anything is deployed that cannot work. */
function checkPgInstalled(): void {
  try {
    createRequire(import.meta.url).resolve("pg");
  } catch (cause) {
    throw new ConfigurationError(MISSING_PG, { cause });
  }
}

function warnOfSlowKey({ isIndexed }: TableFacts, { name, key }: SqlRows, { warn }: ReadContext): void {
  if (isIndexed) return;
  warn(`${name} has no index that begins with its key (${key.join(", ")}): each page sorts the whole table`);
}

function checkChoice(option: string, value: unknown, choices: readonly string[]): void {
  if (choices.some((choice) => choice === value)) return;
  throw new ConfigurationError(
    `${option} must be ${choices.map((choice) => `"${choice}"`).join(" or ")}, but is ${show(value)}`,
  );
}
