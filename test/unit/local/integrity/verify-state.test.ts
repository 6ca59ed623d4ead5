import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { engineAccess } from "../../../../local/access/engine-access.ts";
import { createLedgerTable } from "../../../../local/dynamodb/create-table.ts";
import { startDynamoDb } from "../../../../local/dynamodb/dynalite-server.ts";
import { QueueStore } from "../../../../local/sqs/queue-store.ts";
import { StateDirectory } from "../../../../local/state-directory.ts";
import { explicitSettings } from "../../../../shared/aws/service-access.ts";
import { temporaryDirectory } from "../../../helpers/test-engine.ts";

const BODY = "x".repeat(3_000);

/** State directories as a command left them: one that closed its files, and one that was killed. */
let left: ReturnType<typeof temporaryDirectory>;

beforeAll(async () => {
  left = temporaryDirectory();
  const state = new StateDirectory("w", join(left.path, "closed"));
  expect(state.lock("engine")).toBe(true);
  state.open({ fresh: true });
  const store = new QueueStore({ file: state.queues });
  store.createQueue("q");
  const { path, tables, acknowledged } = state;
  const server = await startDynamoDb({ path: tables, acknowledged, accessKeyId: "key" });
  const access = engineAccess({ sqs: server.endpoint, dynamoDb: server.endpoint, accessKeyId: "key" });
  const client = new DynamoDBClient(explicitSettings(access, server.endpoint));
  await createLedgerTable(client, "ledger");
  for (let n = 0; n < 20; n++) {
    store.send("q", { body: BODY });
    const Item = { pk: { S: `p${n}` }, sk: { S: "s" }, body: { S: BODY } };
    await client.send(new PutItemCommand({ TableName: "ledger", Item }));
  }
  // What a command that is killed now would leave.
  cpSync(path, join(left.path, "killed", "w"), { recursive: true });
  client.destroy();
  await server.close();
  store.close();
  state.close();
  state.unlock();
});

afterAll(() => left[Symbol.dispose]());

let directory: ReturnType<typeof temporaryDirectory>;
let state: StateDirectory;
let how: "closed" | "killed";

function opensAs(kind: typeof how) {
  beforeEach(() => {
    how = kind;
    directory = temporaryDirectory();
    cpSync(join(left.path, kind), directory.path, { recursive: true });
    state = new StateDirectory("w", directory.path);
  });
  afterEach(() => {
    state.unlock();
    directory[Symbol.dispose]();
  });
}

/** Opens the directory as a command does. */
function open(): void {
  expect(state.lock("look")).toBe(true);
  state.open();
}

const damaged = (file: string, what: RegExp) =>
  expect.objectContaining({
    code: "STATE_DAMAGED",
    message: expect.stringMatching(new RegExp(`${file} is damaged: ${what.source}`)),
  });

const log = () => join(state.tables, readdirSync(state.tables).find((name) => name.endsWith(".log")) ?? "");
const wal = () => `${state.queues}-wal`;

/** Changes one bit in the middle of a file. */
function flip(file: string, at = Math.floor(statSync(file).size / 2)): void {
  const content = readFileSync(file);
  content[at] = (content[at] ?? 0) ^ 1;
  writeFileSync(file, content);
}

const cut = (file: string, bytes: number) => truncateSync(file, statSync(file).size - bytes);

describe("files that were closed", () => {
  opensAs("closed");

  test("are opened, again and again", () => {
    open();
    state.close();
    state.unlock();
    open();
  });

  test.each<[string, () => string]>([
    ["the queues", () => state.queues],
    ["the log of the tables", log],
    ["the manifest of the tables", () => join(state.tables, "CURRENT")],
  ])("are damaged if %s changed in one bit, were cut, or are missing", (_, fileOf) => {
    const file = fileOf();
    const before = readFileSync(file);
    flip(file);
    expect(open).toThrow(damaged(file, /its content is not the one that was written/));
    state.unlock();
    writeFileSync(file, before.subarray(0, -1));
    expect(open).toThrow(damaged(file, /it has \d+ bytes, and had \d+ when it was closed/));
    state.unlock();
    rmSync(file);
    expect(open).toThrow(damaged(file, /it is missing/));
    state.unlock();
    // The damage is found each time, until the file is restored.
    writeFileSync(file, before);
    open();
  });

  test("are not compared once an older version of Sluice has used them", () => {
    writeFileSync(join(state.path, "state.json"), JSON.stringify({ version: 1 }));
    appendFileSync(join(state.tables, "CURRENT"), "\n");
    open();
  });

  test("do not matter to a command that deletes them", () => {
    rmSync(state.queues);
    state.lock("engine");
    state.clear();
    state.open({ fresh: true });
  });
});

describe("files of a command that was killed", () => {
  opensAs("killed");

  test("are opened", () => open());

  test("lack an acknowledged commit if the log of the queues was cut", () => {
    cut(wal(), 1);
    expect(open).toThrow(damaged(wal(), /\d+ pages of acknowledged writes were in it, and only \d+ are intact/));
    state.unlock();
    // The check itself changes nothing, so the damage is found again.
    expect(open).toThrow(damaged(wal(), /\d+ pages/));
  });

  test.each([
    ["in the middle", 0.5],
    ["near the end", 0.99],
  ])("lack an acknowledged commit if the log of the queues changed in one bit %s", (_, place) => {
    flip(wal(), Math.floor(statSync(wal()).size * place));
    expect(open).toThrow(damaged(wal(), /\d+ pages of acknowledged writes/));
  });

  test("lack acknowledged commits if the log of the queues is missing, or its header is damaged", () => {
    const before = readFileSync(wal());
    rmSync(wal());
    expect(open).toThrow(damaged(wal(), /it is missing or empty, and held \d+ pages of acknowledged writes/));
    state.unlock();
    writeFileSync(wal(), before);
    flip(wal(), 18);
    expect(open).toThrow(damaged(wal(), /its header is damaged/));
  });

  test("may have a torn commit at the end of the log of the queues, which nobody acknowledged", () => {
    appendFileSync(wal(), readFileSync(wal()).subarray(-2_000));
    open();
  });

  test("lack an acknowledged write if the log of the tables was cut, even between two records", () => {
    cut(log(), 1);
    expect(open).toThrow(damaged(log(), /\d+ bytes of acknowledged writes were in it, and it has only \d+/));
  });

  test("lack an acknowledged write if the log of the tables changed in one bit", () => {
    flip(log());
    expect(open).toThrow(damaged(log(), /the record at byte \d+ is not the one that was written/));
    state.unlock();
  });

  test("lack acknowledged writes if the log of the tables is missing", () => {
    const file = log();
    rmSync(file);
    expect(open).toThrow(damaged(file, /it is missing, and held \d+ bytes of acknowledged writes/));
  });

  test("may have a torn write at the end of the log of the tables, which nobody acknowledged", () => {
    // The beginning of a record of 1,000 bytes.
    const torn = Buffer.alloc(100);
    torn.writeUInt16LE(1_000, 4);
    torn[6] = 1;
    appendFileSync(log(), torn);
    open();
    state.unlock();
    // So may a header of which a part is missing.
    cut(log(), 96);
    open();
  });

  test("are damaged if the database is inconsistent", () => {
    rmSync(wal());
    rmSync(`${state.queues}-shm`);
    writeFileSync(state.queues, Buffer.concat([readFileSync(state.queues).subarray(0, 100), Buffer.alloc(3_996, 7)]));
    expect(open).toThrow(damaged(state.queues, /./));
  });

  test("may lack a log that became a table", () => {
    const file = log();
    const next = join(state.tables, "000009.log");
    cpSync(file, next);
    rmSync(file);
    open();
  });
});

test("a table file that never changes is checked after a kill, too", () => {
  using place = temporaryDirectory();
  const state = new StateDirectory("w", place.path);
  state.lock("engine");
  state.open({ fresh: true });
  mkdirSync(state.tables);
  writeFileSync(join(state.tables, "000005.ldb"), "a table");
  state.close();
  // A command opens the files, and is killed.
  state.open();
  writeFileSync(join(state.tables, "000005.ldb"), "a tablE");
  expect(() => state.open()).toThrow(damaged("000005.ldb", /its content is not the one that was written/));
  // LevelDB deletes a table that it has merged into others.
  rmSync(join(state.tables, "000005.ldb"));
  state.open();
  state.unlock();
});
