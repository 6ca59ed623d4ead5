import assert from "node:assert/strict";
import { MemoryStore } from "../../shared/ledger/memory-store.ts";
import { attemptsKey, blockKey, pageKey, runKey } from "../../shared/ledger/rows.ts";
import { Runs } from "../../shared/ledger/runs.ts";
import { type Key, keyText, type LedgerStore, type Row, type Update, type Value } from "../../shared/ledger/store.ts";
import { type DeadLetter, parseEnvelope } from "../../shared/messages/envelope.ts";
import type { Scope } from "./exploration.ts";
import { Numbered, type Operation, type Result, textOf } from "./exploration-code.ts";
import {
  CONTROL,
  type Delivery,
  HOP,
  type ItemKind,
  now,
  REQUESTED_AT,
  RUN,
  WORKFLOW,
} from "./exploration-protocol.ts";

interface Message {
  /** What it is about: two messages of one item are of one subject. */
  readonly subject: string;
  readonly body: string;
  readonly receiveCount: number;
  readonly deleted: boolean;
}

/** All that is not a row. */
interface Mail {
  readonly messages: Readonly<Record<string, Message>>;
  /** Subjects of which a message has come twice. */
  readonly duplicated: readonly string[];
  /** Items with a letter in the dead-letter queue, each with its reason. Letters of one item and reason are one. */
  readonly letters: readonly string[];
  /** Runs whose end was told; the control queue drops all but the first of a run. */
  readonly announced: readonly string[];
  /** How often the run has ended. */
  readonly ends: number;
  readonly crashes: number;
}

/** What a step does to the world, and what the process learns. */
export interface Effect {
  readonly world: number;
  readonly result: number;
}

/** A step of the scheduler's own. */
export type Event =
  | { readonly name: "crash" }
  | { readonly name: "receive"; readonly message: string; readonly again: boolean };

interface World {
  readonly rows: readonly number[];
  readonly mail: number;
}

const ABSENT = 0;
const NOTHING = 0;

/** What the processes share: the ledger's rows, each operation on which is `MemoryStore`'s, and the queues. */
export class Worlds {
  readonly #pages: readonly (readonly ItemKind[])[];
  readonly #duplicates: Scope["duplicates"];
  readonly #keys: readonly string[];
  readonly #worlds = new Numbered<World>();
  readonly #rows = new Numbered<Row | undefined>();
  readonly #mails = new Numbered<Mail>();
  readonly #results = new Numbered<Result>();
  readonly #updates = new Map<string, { readonly row: number; readonly result: number }>();
  readonly #checked = new Set<number>();

  constructor({ pages, duplicates }: Pick<Scope, "pages" | "duplicates">) {
    this.#pages = pages;
    this.#duplicates = duplicates;
    this.#keys = [
      runKey(RUN),
      blockKey(RUN, 0),
      ...pages.flatMap((items, page) => [
        pageKey(RUN, page),
        ...items.map((_, index) => attemptsKey(RUN, page, index, 1)),
      ]),
    ].map(keyText);
    assert.equal(
      this.#rows.number("", () => undefined),
      ABSENT,
    );
    assert.equal(
      this.#results.number("", () => undefined),
      NOTHING,
    );
  }

  get count(): number {
    return this.#worlds.things.length;
  }

  /** A run that was created, and its first continuation on the control queue. */
  async first(): Promise<number> {
    const store = new MemoryStore();
    await new Runs(store, now).create({ id: RUN, workflow: WORKFLOW, requestedAt: REQUESTED_AT });
    const row = this.#row(await store.get(runKey(RUN)));
    const control = { subject: CONTROL, body: String(HOP), receiveCount: 0, deleted: false };
    return this.#world({
      rows: this.#keys.map((_, slot) => (slot === 0 ? row : ABSENT)),
      mail: this.#mail({
        messages: { [CONTROL]: control },
        duplicated: [],
        letters: [],
        announced: [],
        ends: 0,
        crashes: 0,
      }),
    });
  }

  result(number: number): Result {
    return this.#results.at(number);
  }

  isAnnounced(world: number): boolean { return this.#rows.at(this.#worlds.at(world).rows[0] ?? 0)?.announced === true; }
  phase(world: number): string { const r = this.#rows.at(this.#worlds.at(world).rows[0] ?? 0); return r?.announced ? 'announced' : r?.completedAt ? 'completed' : r?.ended ? 'ended' : 'open'; }
  crashes(world: number): number {
    return this.#mailOf(world).crashes;
  }

  /** Messages that can be received: those that nobody holds, and once more those that somebody holds or has deleted. */
  receivable(world: number, held: ReadonlySet<string>): readonly Extract<Event, { name: "receive" }>[] {
    const { messages, duplicated } = this.#mailOf(world);
    return Object.entries(messages).flatMap(([message, { subject, deleted }]) => {
      const again = deleted || held.has(message);
      return again && (this.#duplicates !== "received" || duplicated.includes(subject))
        ? []
        : [{ name: "receive", message, again }];
    });
  }

  delivery(world: number, id: string): Delivery {
    const message = this.#mailOf(world).messages[id];
    assert.ok(message !== undefined);
    return { id, body: message.body, receiveCount: message.receiveCount };
  }

  /** What a step may do: more than one thing where chance decides. */
  async apply(number: number, step: Operation | Event): Promise<readonly Effect[]> {
    const world = this.#worlds.at(number);
    switch (step.name) {
      case "get":
        return [{ world: number, result: this.#rowResult(world.rows[this.#slot(step.key)] ?? ABSENT) }];
      case "getMany":
        return [{ world: number, result: this.#many(world, step.keys) }];
      case "update": {
        const slot = this.#slot(step.key);
        const before = world.rows[slot] ?? ABSENT;
        const { row, result } = await this.#update(before, step.key, step.update);
        const ended =
          slot === 0 &&
          this.#rows.at(row)?.completedAt !== undefined &&
          result !== NOTHING &&
          step.update.set?.completedAt !== undefined;
        const mail = ended ? this.#change(world, ({ ends }) => ({ ends: ends + 1 })) : world.mail;
        return [{ world: this.#world({ rows: world.rows.with(slot, row), mail }), result }];
      }
      default:
        return this.#changes(world, step).map((change) => ({
          world: this.#world({ rows: world.rows, mail: this.#change(world, () => change) }),
          result: NOTHING,
        }));
    }
  }

  #changes(world: World, step: Exclude<Operation | Event, { name: "get" | "getMany" | "update" }>): Partial<Mail>[] {
    const { messages, duplicated, letters, announced, crashes } = this.#mails.at(world.mail);
    const change = (id: string, changes: Partial<Message>): Mail["messages"] => {
      const message = messages[id];
      assert.ok(message !== undefined);
      return { ...messages, [id]: { ...message, ...changes } };
    };
    switch (step.name) {
      case "send": {
        const { page, index } = parseEnvelope(step.body);
        const subject = `${page}/${index}`;
        const message = { subject, body: step.body, receiveCount: 0, deleted: false };
        const id = (copy: number) => `${subject}#${copy}`;
        const sent = Object.values(messages).filter((each) => each.subject === subject).length;
        const once = { ...messages, [id(sent)]: message };
        // The answer is lost, and the SDK sends again.
        const twice = { messages: { ...once, [id(sent + 1)]: message }, duplicated: [...duplicated, subject] };
        return this.#duplicates !== "sent" || duplicated.includes(subject)
          ? [{ messages: once }]
          : [{ messages: once }, twice];
      }
      case "receive": {
        const message = messages[step.message];
        assert.ok(message !== undefined);
        const received = change(step.message, { receiveCount: message.receiveCount + 1 });
        return [{ messages: received, ...(step.again && { duplicated: [...duplicated, message.subject] }) }];
      }
      case "delete":
        return [{ messages: change(step.message, { deleted: true }) }];
      case "bury": {
        const { page, index, dead } = parseEnvelope(step.body) as DeadLetter;
        return [{ letters: [...new Set([...letters, `${page}/${index} ${dead.reason}`])] }];
      }
      case "announce":
        return [{ announced: [...new Set([...announced, step.run])] }];
      case "crash":
        return [{ crashes: crashes + 1 }];
    }
  }

  // What must hold ----------------------------------------------------------------------------------------------------

  /** What must hold of every state. Rows are read here without the ledger's code. */
  check(number: number): void {
    if (this.#checked.has(number)) return;
    this.#checked.add(number);
    const { rows, mail } = this.#worlds.at(number);
    const { ends, letters, announced } = this.#mails.at(mail);
    const run = this.#rows.at(rows[0] ?? ABSENT);
    assert.ok(ends <= 1, "the run ended twice");
    assert.equal(run?.completedAt !== undefined, ends === 1, "a run that has ended stays so");
    assert.ok(announced.length === 0 || ends === 1, "an end was told before it came");
    for (const { name, kind, done, dead } of this.#fates(number)) {
      const reasons = letters.filter((letter) => letter.startsWith(`${name} `));
      assert.ok(!done || !dead, `item ${name} is both done and dead`);
      assert.ok(!done || reasons.length === 0, `item ${name} is done and has a letter`);
      assert.ok(!dead || reasons.length > 0, `item ${name} is dead and has no letter`);
      assert.ok(ends === 0 || done || dead, `the run has ended and item ${name} is owed`);
      if (kind === "good") assert.ok(!dead && reasons.length === 0, `item ${name} is dead and never failed`);
      if (kind === "bad" || kind === "unreadable") assert.ok(!done, `item ${name} is done and never succeeded`);
    }
  }

  /** What must hold once nothing is left to do. */
  async checkEnd(number: number): Promise<void> {
    const { rows, mail } = this.#worlds.at(number);
    const { ends, letters, announced } = this.#mails.at(mail);
    assert.equal(ends, 1, "nothing is left to do and the run has not ended");
    assert.deepEqual(announced, [RUN], "nothing is left to do and the end was not told");
    const runs = new Runs(this.#storeOf(rows));
    const run = await runs.get(RUN);
    assert.equal(run.status, "completed");
    const { retried, ...counts } = await runs.counts(run);
    const produced = this.#pages.flat().length;
    const deadByReason: Record<string, number> = {};
    for (const letter of letters) {
      const reason = letter.slice(letter.indexOf(" ") + 1);
      deadByReason[reason] = (deadByReason[reason] ?? 0) + 1;
    }
    const dead = letters.length;
    assert.deepEqual(
      counts,
      { produced, succeeded: produced - dead, dead, cancelled: 0, owed: 0, deadByReason },
      "the counts are those of the letters",
    );
    // Each dead item's first failure was followed by another only where two of its messages were worked on.
    assert.ok(retried <= dead);
  }

  *#fates(number: number): Generator<{ name: string; kind: ItemKind; done: boolean; dead: boolean }> {
    const { rows } = this.#worlds.at(number);
    for (const [page, kinds] of this.#pages.entries()) {
      const row = this.#rows.at(rows[this.#slot(pageKey(RUN, page))] ?? ABSENT) ?? {};
      const members = (name: string) => (row[name] instanceof Set ? row[name] : new Set<number>());
      const deadSets = Object.keys(row).filter((name) => name.startsWith("dead: "));
      for (const [index, kind] of kinds.entries()) {
        const done = members("done").has(index) && !members("dying").has(index);
        yield { name: `${page}/${index}`, kind, done, dead: deadSets.some((name) => members(name).has(index)) };
      }
    }
  }

  // Rows --------------------------------------------------------------------------------------------------------------

  #slot(key: Key): number {
    const slot = this.#keys.indexOf(keyText(key));
    assert.ok(slot >= 0, `there is no row ${keyText(key)} in this scope`);
    return slot;
  }

  // What an update does depends on its row alone, so each is done once in a store of its own.
  async #update(before: number, key: Key, update: Update): Promise<{ readonly row: number; readonly result: number }> {
    const text = `${before} ${keyText(key)} ${JSON.stringify(update)}`;
    const known = this.#updates.get(text);
    if (known !== undefined) return known;
    const store = new MemoryStore();
    await restore(store, key, this.#rows.at(before));
    const result = await store.update(key, update);
    const effect = {
      row: this.#row(await store.get(key)),
      result: result === undefined ? NOTHING : this.#rowResult(this.#row(result)),
    };
    this.#updates.set(text, effect);
    return effect;
  }

  #storeOf(rows: readonly number[]): LedgerStore {
    const found = new Map(this.#keys.map((key, slot) => [key, this.#rows.at(rows[slot] ?? ABSENT)]));
    return {
      get: async (key) => found.get(keyText(key)),
      getMany: async (keys) =>
        new Map(keys.map((key) => [keyText(key), found.get(keyText(key))] as const).filter(isPresent)),
      update: () => Promise.reject(new Error("only to be read")),
      newest: () => Promise.reject(new Error("only to be read")),
    };
  }

  #row(row: Row | undefined): number {
    return row === undefined ? ABSENT : this.#rows.number(textOf(row), () => row);
  }

  #rowResult(row: number): number {
    return row === ABSENT ? NOTHING : this.#results.number(`row ${row}`, () => this.#rows.at(row));
  }

  #many(world: World, keys: readonly Key[]): number {
    const rows = keys.map((key) => world.rows[this.#slot(key)] ?? ABSENT);
    return this.#results.number(`rows ${keys.map(keyText)} ${rows}`, () => {
      const entries = keys.map((key, position) => [keyText(key), this.#rows.at(rows[position] ?? ABSENT)] as const);
      return new Map(entries.filter(isPresent));
    });
  }

  // Mail --------------------------------------------------------------------------------------------------------------

  #mailOf(world: number): Mail {
    return this.#mails.at(this.#worlds.at(world).mail);
  }

  #change(world: World, change: (mail: Mail) => Partial<Mail>): number {
    const mail = this.#mails.at(world.mail);
    return this.#mail({ ...mail, ...change(mail) });
  }

  /** A mail in one form: what can make no difference any more is left out. */
  #mail({ messages, duplicated, letters, ...rest }: Mail): number {
    const mail: Mail = {
      messages: Object.fromEntries(
        Object.entries(messages)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([id, message]) => [
            id,
            message.deleted && (this.#duplicates !== "received" || duplicated.includes(message.subject))
              ? { ...message, receiveCount: 0 }
              : message,
          ]),
      ),
      duplicated: [...duplicated].sort(),
      letters: [...letters].sort(),
      ...rest,
    };
    return this.#mails.number(JSON.stringify(mail), () => mail);
  }

  #world(world: World): number {
    return this.#worlds.number(`${world.rows} ${world.mail}`, () => world);
  }
}

const isPresent = (entry: readonly [string, Row | undefined]): entry is readonly [string, Row] =>
  entry[1] !== undefined;

async function restore(store: MemoryStore, key: Key, row: Row | undefined): Promise<void> {
  if (row === undefined) return;
  const set: Record<string, Exclude<Value, Set<number>>> = {};
  const add: Record<string, number[]> = {};
  for (const [name, value] of Object.entries(row)) {
    if (value instanceof Set) add[name] = [...value];
    else if (value !== undefined) set[name] = value;
  }
  await store.update(key, { set, add });
}
