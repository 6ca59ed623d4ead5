import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";

/**
 * One row is one message. `sequence` orders all messages that were ever sent; no number is given twice.
 *
 * `hold` says why a message is not visible before `visible_at`. 0: it was sent with a delay. 1: it was received. 2: its
 * receiver changed its visibility, to `visibility_changed_to` seconds. A receive may be recorded in memory only: see
 * `UnwrittenReceives`. No timer makes a message visible: its row and the clock decide.
 *
 * `receives` counts the receives in the queue that holds the message now, and `receives_before` those in the queues from
 * which SQS moved it. `ApproximateReceiveCount` is the sum; `maxReceiveCount` is about the first only.
 *
 * `first_visible_at` is the place of the message in the queue's order before it was received. The message returns to
 * this place when its receiver makes it visible at once, so a command that only looks at a queue does not change its
 * order.
 *
 * `ordered_group` is the message group of a message on a FIFO queue, else null, because messages on standard queues
 * have a `group_id` too. A row of `ordered_groups` says when messages of the group can be received, so a receive need
 * not read the messages of blocked groups.
 */
const schema = `
  CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE IF NOT EXISTS queues (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    attributes TEXT NOT NULL,
    tags TEXT,
    created_at INTEGER NOT NULL,
    modified_at INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE IF NOT EXISTS messages (
    sequence INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,
    visible_at INTEGER NOT NULL,
    hold INTEGER NOT NULL DEFAULT 0,
    receives INTEGER NOT NULL DEFAULT 0,
    receives_before INTEGER NOT NULL DEFAULT 0,
    receipt INTEGER NOT NULL DEFAULT 0,
    received_at INTEGER,
    first_received_at INTEGER,
    first_visible_at INTEGER,
    visibility_changed_to INTEGER,
    sent_at INTEGER NOT NULL,
    id TEXT NOT NULL,
    group_id TEXT,
    ordered_group TEXT,
    deduplication_id TEXT,
    trace_header TEXT,
    source TEXT,
    attributes TEXT,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS messages_in_order ON messages (queue, visible_at, sequence, hold, sent_at);
  CREATE INDEX IF NOT EXISTS messages_by_group ON messages (queue, ordered_group, sequence)
    WHERE ordered_group IS NOT NULL;

  CREATE TABLE IF NOT EXISTS ordered_groups (
    queue INTEGER NOT NULL,
    name TEXT NOT NULL,
    ready_at INTEGER NOT NULL,
    head INTEGER NOT NULL,
    PRIMARY KEY (queue, name)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS ordered_groups_by_readiness ON ordered_groups (queue, ready_at, head);

  CREATE TABLE IF NOT EXISTS deduplication (
    queue INTEGER NOT NULL,
    key TEXT NOT NULL,
    message_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (queue, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS deduplication_by_expiry ON deduplication (expires_at);

  CREATE TABLE IF NOT EXISTS move_tasks (
    handle TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    destination TEXT,
    rate INTEGER,
    status TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    to_move INTEGER NOT NULL,
    moved INTEGER NOT NULL DEFAULT 0,
    failure TEXT
  ) STRICT;
`;

/** How many sequence numbers are reserved at once, so that not every message writes a counter. */
const sequenceBlock = 100_000;

/** The SQLite file, with cached prepared statements, transactions that can be nested, and unique sequence numbers. */
export class Database {
  readonly #connection: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #inTransaction = false;
  #undos: (() => void)[] = [];
  #nextSequence = 0;
  #sequenceEnd = 0;

  /** @param cacheMegabytes Memory for pages of the file, in MiB. */
  constructor(file: string, cacheMegabytes = 64) {
    this.#connection = new DatabaseSync(file);
    // With synchronous=normal a killed process loses nothing. Only a power failure may undo the last commits.
    this.#connection.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000;");
    // 64 MiB of log between two checkpoints, because a checkpoint waits for the disk.
    this.#connection.exec(`PRAGMA cache_size = ${-1_024 * cacheMegabytes}; PRAGMA wal_autocheckpoint = 16000;`);
    this.#connection.exec(schema);
    // A file of an earlier version has other indexes, and lacks some columns.
    this.#connection.exec("DROP INDEX IF EXISTS messages_by_visibility; DROP INDEX IF EXISTS messages_by_age;");
    this.#connection.exec("DROP INDEX IF EXISTS messages_held_by_group;");
    // Earlier versions wrote 3 for some of the received messages.
    if (this.#addColumn("messages", "first_visible_at", "INTEGER"))
      this.run("UPDATE messages SET hold = 1 WHERE hold = 3");
    this.#addColumn("messages", "visibility_changed_to", "INTEGER");
    this.#addColumn("messages", "receives_before", "INTEGER NOT NULL DEFAULT 0");
    this.#addColumn("queues", "tags", "TEXT");
  }

  /** The first row, or undefined. */
  get<Row>(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#statement(sql).get(...values) as Row | undefined;
  }

  /** The row of a query that returns one in any case, such as a count. */
  one<Row>(sql: string, ...values: SQLInputValue[]): Row {
    return this.#statement(sql).get(...values) as unknown as Row;
  }

  /** All rows. */
  all<Row>(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#statement(sql).all(...values) as unknown as Row[];
  }

  /** Runs a statement and returns how many rows it changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  /** Registers a function that restores memory if the transaction under way is undone. The last one runs first. */
  whenUndone(undo: () => void): void {
    if (this.#inTransaction) this.#undos.push(undo);
  }

  /** Runs `work` in a transaction, or in the surrounding one. If it throws, the transaction is undone. */
  transaction<T>(work: () => T): T {
    if (this.#inTransaction) return work();
    this.run("BEGIN IMMEDIATE");
    this.#inTransaction = true;
    try {
      const result = work();
      this.run("COMMIT");
      return result;
    } catch (error) {
      try {
        this.run("ROLLBACK");
      } catch {
        // SQLite has already undone it, as it does when the disk is full.
      }
      for (const undo of this.#undos.reverse()) undo();
      // Numbers that were reserved in this transaction are no longer reserved.
      this.#nextSequence = this.#sequenceEnd = 0;
      throw error;
    } finally {
      this.#inTransaction = false;
      this.#undos = [];
    }
  }

  /** Returns the next sequence number. It is larger than all earlier ones, including those of earlier processes. */
  nextSequence(): number {
    if (this.#nextSequence === this.#sequenceEnd) this.#reserveSequences();
    return this.#nextSequence++;
  }

  /** Closes the file. */
  close(): void {
    this.#connection.close();
  }

  /** Adds a column to the table of an older file. @returns whether the column was missing. */
  #addColumn(table: string, column: string, type: string): boolean {
    const isMissing = this.get("SELECT 1 FROM pragma_table_info(?) WHERE name = ?", table, column) === undefined;
    if (isMissing) this.#connection.exec(`ALTER TABLE ${table} ADD COLUMN ${column} ${type}`);
    return isMissing;
  }

  #reserveSequences(): void {
    const { value } = this.one<{ value: number }>(
      `INSERT INTO counters (name, value) VALUES ('sequence', 1 + ?1)
       ON CONFLICT (name) DO UPDATE SET value = value + ?1 RETURNING value`,
      sequenceBlock,
    );
    this.#sequenceEnd = value;
    this.#nextSequence = value - sequenceBlock;
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#connection.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}
