import assert from "node:assert/strict";
import fc from "fast-check";
import { test } from "vitest";
import { SluiceError } from "../../../shared/base/errors.ts";
import { browse } from "../../../shared/dead-letters/browse.ts";
import { exportDeadLetters, toExportLine } from "../../../shared/dead-letters/export.ts";
import { importDeadLetters } from "../../../shared/dead-letters/import.ts";
import { purge } from "../../../shared/dead-letters/purge.ts";
import type { DeadLetter } from "../../../shared/dead-letters/read-dead-letter.ts";
import { redrive } from "../../../shared/dead-letters/redrive.ts";
import { Ledger } from "../../../shared/ledger/ledger.ts";
import { readPageRow } from "../../../shared/ledger/page-row.ts";
import { parseEnvelope } from "../../../shared/messages/envelope.ts";
import { pageKey } from "../../../shared/messages/item-address.ts";
import { DeadLettersWorld, DLQ } from "../../helpers/dead-letters-world.ts";
import type { FakeMessage } from "../../helpers/fake-queues.ts";
import { Mortal } from "../../helpers/mortal.ts";

const ITEMS = 7;
/** Of the items, those that SQS itself moved. */
const RAW = [5, 6];
const FOREIGN = ["not ours", '{"a":1}'];

interface Act {
  readonly name: "list" | "redrive" | "edit" | "export" | "import" | "purge" | "work" | "wait";
  /** Of the dead letters, or the items that succeed: a bit for each. */
  readonly meant: number;
  /** Of the files that were written so far, the one that is imported. */
  readonly file: number;
  /** The steps after which the process dies. */
  readonly diesAfter: number;
  readonly afterwards: boolean;
}

const acts = (crashes: boolean): fc.Arbitrary<readonly Act[]> =>
  fc.array(
    fc.record({
      name: fc.constantFrom<Act["name"]>(
        "list",
        "redrive",
        "edit",
        "export",
        "import",
        "purge",
        "work",
        "work",
        "wait",
      ),
      meant: fc.integer({ min: 0, max: 511 }),
      file: fc.nat({ max: 5 }),
      diesAfter: crashes
        ? fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.nat({ max: 30 }))
        : fc.constant(Number.POSITIVE_INFINITY),
      afterwards: fc.boolean(),
    }),
    { maxLength: 20, size: "max" },
  );

/** A person at the dead-letter queue, and where each dead letter is. */
class Walk {
  readonly #world = new DeadLettersWorld();
  readonly #files: string[][] = [];
  /** Bodies that a purge kept. */
  readonly #backup = new Set<string>();
  #crashed = false;

  async begin(): Promise<void> {
    await this.#world.produce(ITEMS);
    for (let index = 0; index < ITEMS; index++) {
      const envelope = this.#world.envelope(index);
      if (!RAW.includes(index)) await this.#world.die(envelope);
      else this.#world.queues.put(DLQ, JSON.stringify(envelope), { movedFrom: "arn:aws:sqs:x:1:queue" });
    }
    for (const body of FOREIGN) this.#world.queues.put(DLQ, body);
  }

  async take(act: Act): Promise<void> {
    const { queues } = this.#world;
    if (act.name === "wait") queues.now += 3_600_000;
    else if (act.name === "work") await this.#world.work(({ index }) => isMeant(act, index));
    else {
      const order = this.#world.deadLetters.map(({ id }) => id);
      const mortal = new Mortal(act.diesAfter, act.afterwards);
      queues.before = () => mortal.before();
      queues.after = () => mortal.after();
      await mortal.live(() => this.#command(act, mortal));
      queues.before = queues.after = () => {};
      if (mortal.dead) this.#crashed = true;
      if (act.name === "list" || act.name === "export") {
        assert.deepEqual(
          this.#world.deadLetters.map(({ id }) => id),
          order,
          "a look changes nothing",
        );
      }
      if (!mortal.dead) {
        const hidden = this.#world.deadLetters.filter(({ visibleAt }) => visibleAt > queues.now);
        assert.ok(this.#crashed || hidden.length === 0, "all is given back");
      }
    }
    await this.#check();
  }

  async #command(act: Act, mortal: Mortal): Promise<void> {
    const store = mortal.storeOf(this.#world.store);
    const ledger = new Ledger(store, () => this.#world.queues.now);
    const options = { ...this.#world.options, ledger, runs: ledger.runs };
    const select = (deadLetter: DeadLetter) =>
      isMeant(act, deadLetter.index ?? ITEMS + FOREIGN.indexOf(deadLetter.body));
    const file: string[] = [];
    switch (act.name) {
      case "list":
        await browse(options.deadLetterQueue, () => {}, options);
        return;
      case "redrive":
        await redrive({ ...options, select });
        return;
      case "edit":
        // Foreign ones are told by their bodies here.
        await redrive({ ...options, select, edit: ({ run, index }) => (run === null ? undefined : { edited: index }) });
        return;
      case "export":
        this.#files.push(file);
        await exportDeadLetters({
          ...options,
          select,
          write: async (some) => void file.push(...some.map(toExportLine)),
        });
        return;
      case "purge":
        this.#files.push(file);
        await purge({
          ...options,
          select,
          backup: async (some) => {
            mortal.before();
            file.push(...some.map(toExportLine));
            for (const { body } of some) this.#backup.add(placeOf(body));
            mortal.after();
          },
        });
        return;
      case "import":
        await this.#import(() => importDeadLetters({ ...options, lines: this.#importable(act.file) }));
        return;
    }
  }

  /** Beside dead letters that a killed command holds, nothing is imported: they may be the same. */
  async #import(act: () => Promise<unknown>): Promise<void> {
    const order = this.#world.deadLetters.map(({ id }) => id);
    const isHeld = this.#world.deadLetters.some(({ visibleAt }) => visibleAt > this.#world.queues.now);
    const code = await act().then(
      () => undefined,
      (error) => {
        if (error instanceof SluiceError) return error.code;
        throw error;
      },
    );
    assert.equal(code, isHeld ? "LETTERS_HELD" : undefined);
    if (isHeld)
      assert.deepEqual(
        this.#world.deadLetters.map(({ id }) => id),
        order,
      );
  }

  /** Of what is not ours nobody can know whether it is at work: such a dead letter is imported only if it was purged. */
  #importable(file: number): readonly string[] {
    const there = new Set([...this.#world.deadLetters, ...this.#world.messages].map(({ body }) => body));
    return (this.#files[file] ?? []).filter((line) => {
      const { body } = JSON.parse(line) as DeadLetter;
      return isOurs(placeOf(body)) || !there.has(body);
    });
  }

  async #check(): Promise<void> {
    const page = readPageRow((await this.#world.store.get(pageKey({ run: "run", partition: 0, page: 0 }))) ?? {});
    const places = [...Array.from({ length: ITEMS }, (_, index) => String(index)), ...FOREIGN];
    let rawDeadLetters = 0;
    for (const place of places) {
      const ofIt = (messages: readonly FakeMessage[]) => messages.filter(({ body }) => placeOf(body) === place);
      const deadLetters = ofIt(this.#world.deadLetters);
      const messages = ofIt(this.#world.messages);
      const done = page.done.has(Number(place)) ? 1 : 0;
      const found = deadLetters.length + messages.length + done;
      assert.ok(found > 0 || this.#backup.has(place), `letter ${place} is lost`);
      if (page.reopened.has(Number(place))) assert.ok(messages.length > 0, `${place} is pending, and has no message`);
      if (this.#crashed) continue;
      assert.ok(found <= 1, `letter ${place} is in ${found} places`);
      // One that has never settled: of a dead letter that was imported, its purge has recorded the death.
      if (deadLetters.length > 0 && isOurs(place) && !page.dead.has(Number(place))) rawDeadLetters++;
    }
    const counts = await this.#world.counts();
    assert.equal(counts.succeeded + counts.dead + counts.pending, ITEMS);
    assert.equal(counts.succeeded, page.done.size);
    if (!this.#crashed) {
      const ours = this.#world.messages.filter(({ body }) => isOurs(placeOf(body)));
      assert.equal(counts.pending, ours.length + rawDeadLetters, "what is pending has a message, or never settled");
    }
  }

  /** Whatever happened: all that is left is redriven and succeeds, once. */
  async end(): Promise<void> {
    const { queues, options } = this.#world;
    // Twice: of two dead letters of one item, the second may find the first at work.
    for (let round = 0; round < 2; round++) {
      queues.now += 3_600_000;
      const { refused } = await redrive({ ...options, select: () => true });
      assert.deepEqual(refused, {});
      await this.#world.work(() => true);
      await this.#check();
    }
    queues.now += 3_600_000;
    await redrive({ ...options, select: ({ kind }) => kind !== "foreign" });
    const page = readPageRow((await this.#world.store.get(pageKey({ run: "run", partition: 0, page: 0 }))) ?? {});
    for (let index = 0; index < ITEMS; index++) {
      assert.ok(page.done.has(index) || this.#backup.has(String(index)), `item ${index}`);
    }
    const counts = await this.#world.counts();
    assert.equal(counts.pending, 0);
    assert.deepEqual(
      this.#world.deadLetters.filter(({ body }) => isOurs(placeOf(body))),
      [],
      "no dead letter of an item that is done is left",
    );
    assert.deepEqual(this.#world.messages, []);
  }
}

const isMeant = ({ meant }: Act, bit: number): boolean => ((meant >> bit) & 1) === 1;
const isOurs = (place: string): boolean => !FOREIGN.includes(place);

/** What a body is of: an item's index, or a foreign body. */
function placeOf(body: string): string {
  return FOREIGN.includes(body) ? body : String(parseEnvelope(body).index);
}

const holds = (crashes: boolean, numRuns: number) =>
  fc.assert(
    fc.asyncProperty(acts(crashes), async (some) => {
      const walk = new Walk();
      await walk.begin();
      for (const act of some) await walk.take(act);
      await walk.end();
    }),
    { numRuns },
  );

test("whatever a person does, every dead letter is in exactly one place", () => holds(false, 150));

test("though commands die at any step, no dead letter is lost, and each item settles once", () => holds(true, 300));
