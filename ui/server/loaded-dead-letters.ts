import { closeSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { fromStoredText, jsonText, toEditableText, toStoredText } from "../../shared/base/exact-json.ts";
import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import { searchText } from "../../shared/dead-letters/search-text.ts";
import { itemId } from "../../shared/messages/item-address.ts";
import type { DeadLetterFilter, DeadLetterPage, DeadLetterRow, DeadLetterView, GroupView, Selection } from "./api.ts";

/** How much of an error and of an item a row of the list has. */
const LONGEST_ROW_TEXT = 160;
/** How much of an item the page shows. A larger item can be exported, and changed with the command line. */
export const LONGEST_SHOWN = 200_000;
/** How many groups the page lists. */
const MOST_GROUPS = 500;

interface Entry extends DeadLetterRow {
  readonly group: string;
  readonly offset: number;
  readonly bytes: number;
  /** The bytes of the text for a search. They follow the dead letter in the file. */
  readonly searchBytes: number;
}

/**
 * The dead letters of one workflow that were loaded. Whole dead letters are in a file. Memory has a short row of each, about
 * 500 bytes, so that 100,000 of them can be filtered and paged.
 */
export class LoadedDeadLetters {
  readonly file: string;
  readonly #descriptor: number;
  #end = 0;
  readonly #entries = new Map<string, Entry>();
  readonly #groupNames = new Map<string, string>();
  /** Texts that many dead letters share, so that each is in memory once. */
  readonly #texts = new Map<string, string>();
  readonly loadedAt = Date.now();
  note: string | null = null;
  /** The latest search, because each page of the list asks for it again. */
  #search: { readonly text: string; readonly ids: ReadonlySet<string> } | undefined;

  constructor(file: string) {
    this.file = file;
    rmSync(file, { force: true });
    this.#descriptor = openSync(file, "w+", 0o600);
  }

  add(deadLetter: DeadLetter): void {
    const bytes = Buffer.from(toStoredText(deadLetter));
    const search = Buffer.from(searchText(deadLetter));
    writeSync(this.#descriptor, Buffer.concat([bytes, search]), 0, bytes.length + search.length, this.#end);
    const { id, reason, run, diedAt, error, item, failures, redrives, fingerprint } = deadLetter;
    const text = typeof item === "string" ? item : (jsonText(item) ?? "");
    this.#entries.set(id, {
      id,
      reason,
      run: run === null ? null : this.#shared(run),
      diedAt,
      error: this.#shared(start(`${error.name}: ${error.message}`)),
      item: start(text),
      attempts: failures.length,
      redrives,
      group: this.#shared(fingerprint.id),
      offset: this.#end,
      bytes: bytes.length,
      searchBytes: search.length,
    });
    this.#groupNames.set(fingerprint.id, fingerprint.text);
    this.#end += bytes.length + search.length;
    this.#search = undefined;
  }

  /** Forgets dead letters that are no longer in the queue. */
  remove(ids: Iterable<string>): void {
    for (const id of ids) this.#entries.delete(id);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** A dead letter as it was loaded. */
  read(id: string): DeadLetter | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    const bytes = Buffer.alloc(entry.bytes);
    readSync(this.#descriptor, bytes, 0, entry.bytes, entry.offset);
    return fromStoredText(bytes.toString()) as DeadLetter;
  }

  view(id: string): DeadLetterView | undefined {
    const [entry, deadLetter] = [this.#entries.get(id), this.read(id)];
    if (entry === undefined || deadLetter === undefined) return undefined;
    const { offset: _, bytes: __, searchBytes: ___, ...row } = entry;
    const { kind, truncated, workflow, page, index, sentAt, expiresAt, receiveCount, failures, fingerprint } =
      deadLetter;
    const text = toEditableText(deadLetter.item) ?? "";
    return {
      ...row,
      kind,
      truncated,
      workflow,
      page,
      index,
      sentAt,
      expiresAt,
      receiveCount,
      itemId:
        entry.run === null || page === null || index === null
          ? null
          : itemId({ run: entry.run, partition: deadLetter.partition ?? 0, page, index }),
      groupName: fingerprint.text,
      errorName: deadLetter.error.name,
      errorMessage: deadLetter.error.message.slice(0, LONGEST_SHOWN),
      itemText: text.slice(0, LONGEST_SHOWN),
      isCut: text.length > LONGEST_SHOWN,
      failures,
    };
  }

  /** The ids of a selection that are loaded. */
  idsOf({ ids, filter }: Selection): ReadonlySet<string> {
    if (ids !== undefined) return new Set(ids.filter((id) => this.#entries.has(id)));
    return new Set(this.#matching(filter ?? {}).map(({ id }) => id));
  }

  /** The rows that match a filter, the latest death first, with the groups of all that match without the group. */
  page(
    filter: DeadLetterFilter,
    { offset, limit }: { readonly offset: number; readonly limit: number },
  ): DeadLetterPage {
    const all = [...this.#entries.values()];
    const matching = this.#matching(filter).sort((a, b) => (a.diedAt < b.diedAt ? 1 : -1));
    const { groups: _, ...others } = filter;
    return {
      loadedAt: this.loadedAt,
      loaded: all.length,
      matching: matching.length,
      groups: this.#groups(this.#matching(others)),
      runs: distinct(all.flatMap(({ run }) => (run === null ? [] : [run])))
        .sort()
        .reverse(),
      reasons: distinct(all.map(({ reason }) => reason)).sort(),
      rows: matching
        .slice(offset, offset + limit)
        .map(({ group: _, offset: __, bytes: ___, searchBytes: ____, ...row }) => row),
      note: this.note,
    };
  }

  close(): void {
    closeSync(this.#descriptor);
    try {
      rmSync(this.file, { force: true });
    } catch {
      // The directory was replaced by something else. Nothing of the file is left there.
    }
  }

  #matching({ groups, reason, run, text }: DeadLetterFilter): Entry[] {
    const found = text === undefined ? undefined : this.#having(text);
    return [...this.#entries.values()].filter(
      (entry) =>
        (groups === undefined || groups.includes(entry.group)) &&
        (reason === undefined || entry.reason === reason) &&
        (run === undefined || entry.run === run) &&
        (found === undefined || found.has(entry.id)),
    );
  }

  /** The ids of the dead letters that contain a text. A row has only the start of the item, so the file is searched. */
  #having(text: string): ReadonlySet<string> {
    if (this.#search?.text === text) return this.#search.ids;
    const wanted = Buffer.from(text.toLowerCase());
    const ids = new Set<string>();
    let buffer = Buffer.alloc(0);
    for (const { id, offset, bytes, searchBytes } of this.#entries.values()) {
      if (buffer.length < searchBytes) buffer = Buffer.alloc(searchBytes);
      readSync(this.#descriptor, buffer, 0, searchBytes, offset + bytes);
      if (buffer.subarray(0, searchBytes).includes(wanted)) ids.add(id);
    }
    this.#search = { text, ids };
    return ids;
  }

  #groups(entries: readonly Entry[]): readonly GroupView[] {
    const groups = new Map<string, { -readonly [key in keyof GroupView]: GroupView[key] } & { reasons: string[] }>();
    for (const { group: key, reason, diedAt, error, item } of entries) {
      const group = groups.get(key);
      if (group === undefined) {
        groups.set(key, {
          key,
          name: this.#groupNames.get(key) ?? "",
          count: 1,
          reasons: [reason],
          firstDiedAt: diedAt,
          lastDiedAt: diedAt,
          exampleError: error,
          exampleItem: item,
        });
        continue;
      }
      group.count++;
      if (!group.reasons.includes(reason)) group.reasons.push(reason);
      if (diedAt < group.firstDiedAt) group.firstDiedAt = diedAt;
      if (diedAt > group.lastDiedAt) group.lastDiedAt = diedAt;
    }
    return [...groups.values()].sort((a, b) => b.count - a.count).slice(0, MOST_GROUPS);
  }

  #shared(text: string): string {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    this.#texts.set(text, text);
    return text;
  }
}

const distinct = (texts: readonly string[]): string[] => [...new Set(texts)];

// This copies the text. A slice would keep the whole body in memory from which the text was parsed.
const start = (text: string): string =>
  Buffer.from(text.length > LONGEST_ROW_TEXT ? `${text.slice(0, LONGEST_ROW_TEXT)}…` : text).toString();
