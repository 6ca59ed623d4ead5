import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Database } from "../../../../local/sqs/database.ts";
import { queueArn } from "../../../../local/sqs/queue-registry.ts";
import { QueueStore } from "../../../../local/sqs/queue-store.ts";

const NOW = 1_000_000_000_000;
let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-sqs-"));
  file = join(directory, "sqs.db");
});
afterEach(() => rmSync(directory, { recursive: true }));

const open = () => new QueueStore({ file, clock: () => NOW });

/** Looks at the file as another program does. */
function inFile<T>(look: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(file);
  try {
    return look(database);
  } finally {
    database.close();
  }
}

/** https://www.sqlite.org/pragma.html */
describe("the file of the queues", () => {
  test("is written ahead, so that a killed process loses nothing", () => {
    const database = new Database(file);
    expect(existsSync(`${file}-wal`)).toBe(true);
    // 1 is NORMAL.
    expect(database.get("PRAGMA synchronous")).toEqual({ synchronous: 1 });
    database.close();
  });

  test("is waited for, for five seconds, while another process writes to it", () => {
    const database = new Database(file);
    expect(database.get("PRAGMA busy_timeout")).toEqual({ timeout: 5_000 });
    database.close();
  });

  test("has 64 MiB of its pages in memory, or as many as it is told", () => {
    const cached = (...megabytes: number[]) => {
      const database = new Database(file, ...megabytes);
      // A negative number means KiB.
      const { cache_size } = database.one<{ cache_size: number }>("PRAGMA cache_size");
      database.close();
      return -cache_size / 1_024;
    };
    expect([cached(), cached(3)]).toEqual([64, 3]);
  });

  test("keeps nothing of a queue that was deleted", () => {
    const store = open();
    store.createQueue("q.fifo", { FifoQueue: "true" });
    store.send("q.fifo", { body: "a", groupId: "g", deduplicationId: "1" });
    store.deleteQueue("q.fifo");
    store.close();
    const rows = inFile((database) =>
      ["queues", "messages", "ordered_groups", "deduplication"].map((table) =>
        database.prepare(`SELECT count(*) AS rows FROM ${table}`).get(),
      ),
    );
    expect(rows).toEqual(Array(4).fill({ rows: 0 }));
  });
});

describe("a message move task", () => {
  test("continues by itself when its file is opened again", () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    let store = open();
    store.createQueue("dead");
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: queueArn("dead"), maxReceiveCount: 1 });
    store.createQueue("q", { RedrivePolicy });
    store.send("dead", { body: "a" });
    store.moveTasks.start({ sourceArn: queueArn("dead"), destinationArn: queueArn("q") });
    store.close();
    store = open();
    expect(store.counts("q").visible).toBe(0);
    vi.advanceTimersByTime(1);
    expect(store.counts("q").visible).toBe(1);
    store.close();
    vi.useRealTimers();
  });
});

describe("a file of an earlier version", () => {
  const OLD_INDEXES = ["messages_by_visibility", "messages_by_age", "messages_held_by_group"];

  beforeEach(() => {
    const store = open();
    store.createQueue("q");
    store.send("q", { body: "a" });
    store.close();
    inFile((database) => {
      database.exec("BEGIN");
      for (const column of ["first_visible_at", "visibility_changed_to", "receives_before"])
        database.exec(`ALTER TABLE messages DROP COLUMN ${column}`);
      database.exec("ALTER TABLE queues DROP COLUMN tags");
      for (const index of OLD_INDEXES) database.exec(`CREATE INDEX ${index} ON messages (queue)`);
      // The message was received, and is in flight for a minute.
      database.prepare("UPDATE messages SET hold = 3, receives = 1, visible_at = ?").run(NOW + 60_000);
      database.exec("COMMIT");
    });
  });

  test("can be used, and its messages in flight are released after a crash", () => {
    const store = open();
    expect(store.counts("q")).toEqual({ visible: 0, inFlight: 1, delayed: 0 });
    expect(store.releaseOrphans()).toBe(1);
    const [message] = store.receive({ queue: "q", max: 1 });
    expect(message).toMatchObject({ body: "a", systemAttributes: { ApproximateReceiveCount: "1" } });
    store.changeVisibility("q", message?.receiptHandle ?? "", 10);
    expect(store.nextReturnAt("q", 20)).toBe(NOW + 10_000);
    store.addTags("q", { team: "a" });
    expect(store.tags("q")).toEqual({ team: "a" });
    store.close();
  });

  test("loses the indexes that this version does not use", () => {
    open().close();
    const names = inFile((database) =>
      database
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'index'")
        .all()
        .map(({ name }) => name),
    );
    expect(names).toContain("messages_in_order");
    expect(names.filter((name) => OLD_INDEXES.includes(String(name)))).toEqual([]);
  });
});
