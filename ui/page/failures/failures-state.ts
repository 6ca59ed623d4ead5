import { computed, effect, signal } from "@preact/signals";
import type {
  DeadLetterFilter,
  DeadLetterPage,
  DeadLetterRow,
  ItemEdits,
  LoadedIds,
  Selection,
} from "../../server/api.ts";
import { get, post } from "../state/json-requests.ts";
import { connection, work } from "../state/server-connection.ts";

/** How many rows one request reads. */
export const PAGE_ROWS = 100;
/** A filter is applied when the user has not typed for this long. */
const TYPING_MILLISECONDS = 200;

/** What the page of a workflow's failures shows, and what the user has chosen there. */
export class FailuresState {
  readonly workflow: string;
  readonly groups = signal<ReadonlySet<string>>(new Set());
  readonly reason = signal("");
  readonly run = signal("");
  readonly text = signal("");
  readonly ticked = signal<ReadonlySet<string>>(new Set());
  /** The dead letter that is shown in full. */
  readonly open = signal<string | undefined>(undefined);
  /** Items that are edited one by one, as JSON text. */
  readonly edited = signal<ReadonlyMap<string, { readonly before: string; readonly text: string }>>(new Map());
  /** Values that are set in each item: one `path=value` a line. */
  readonly set = signal("");
  readonly rate = signal("");
  readonly summary = signal<DeadLetterPage | undefined>(undefined);
  readonly pages = signal<ReadonlyMap<number, readonly DeadLetterRow[]>>(new Map());
  readonly problem = signal<string | undefined>(undefined);
  readonly #asked = new Set<number>();
  #number = 0;
  /** The id of the latest work whose end was seen. */
  #ended = "";

  constructor(workflow: string) {
    this.workflow = workflow;
  }

  readonly filter = computed<DeadLetterFilter>(() => ({
    ...(this.groups.value.size > 0 && { groups: [...this.groups.value] }),
    ...(this.reason.value !== "" && { reason: this.reason.value }),
    ...(this.run.value !== "" && { run: this.run.value }),
    ...(this.text.value.trim() !== "" && { text: this.text.value.trim() }),
  }));

  /** The ticked dead letters, or else all that match the filter. */
  readonly selection = computed<Selection>(() =>
    this.ticked.value.size > 0 ? { ids: [...this.ticked.value] } : { filter: this.filter.value },
  );

  readonly selected = computed(() =>
    this.ticked.value.size > 0 ? this.ticked.value.size : (this.summary.value?.matching ?? 0),
  );

  readonly edits = computed<ItemEdits>(() => {
    const changed = [...this.edited.value].filter(([, { before, text }]) => text !== before);
    const set = this.set.value.split("\n").filter((line) => line.trim() !== "");
    return {
      ...(changed.length > 0 && { items: Object.fromEntries(changed.map(([id, { text }]) => [id, text])) }),
      ...(set.length > 0 && { set }),
    };
  });

  readonly hasEdits = computed(() => Object.keys(this.edits.value).length > 0);

  /**
   * Reads anew when the filter changes, when a work has ended, and when the page has found the server again. Returns a function
   * that stops this.
   */
  follow(): () => void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let wasOpen = connection.peek() === "open";
    const stopFilter = effect(() => {
      const filter = this.filter.value;
      clearTimeout(timer);
      timer = setTimeout(() => void this.#read(filter), this.summary.peek() === undefined ? 0 : TYPING_MILLISECONDS);
    });
    const stopWork = effect(() => {
      const now = work.value;
      // Events of a short work can be left out. So only its id tells whether it is another one.
      if (now === undefined || now.workflow !== this.workflow || now.state === "running" || now.id === this.#ended)
        return;
      this.#ended = now.id;
      void this.#read(this.filter.peek());
    });
    const stopConnection = effect(() => {
      const isOpen = connection.value === "open";
      // A server that was started again has loaded nothing.
      if (isOpen && !wasOpen) void this.#read(this.filter.peek());
      wasOpen = isOpen;
    });
    return () => {
      clearTimeout(timer);
      stopFilter();
      stopWork();
      stopConnection();
    };
  }

  /** Reads the rows around an index, unless they were read. */
  need(index: number): void {
    const page = Math.floor(index / PAGE_ROWS);
    if (this.#asked.has(page)) return;
    this.#asked.add(page);
    void this.#readPage(page, this.filter.peek(), this.#number);
  }

  tick(ids: Iterable<string>, isTicked: boolean): void {
    const ticked = new Set(this.ticked.value);
    for (const id of ids) {
      if (isTicked) ticked.add(id);
      else ticked.delete(id);
    }
    this.ticked.value = ticked;
  }

  tickGroup(key: string, isTicked: boolean): void {
    const groups = new Set(this.groups.value);
    if (isTicked) groups.add(key);
    else groups.delete(key);
    this.groups.value = groups;
  }

  /** Edits an item, and ticks it: the redrive then sends this item, and not all that match. */
  edit(id: string, text: string, before: string): void {
    if (!this.edited.value.has(id)) this.tick([id], true);
    this.edited.value = new Map(this.edited.value).set(id, { before, text });
  }

  dropEdit(id: string): void {
    const edited = new Map(this.edited.value);
    edited.delete(id);
    this.edited.value = edited;
    this.tick([id], false);
  }

  async #read(filter: DeadLetterFilter): Promise<void> {
    this.#number++;
    this.#asked.clear();
    this.#asked.add(0);
    await this.#readPage(0, filter, this.#number);
  }

  async #readPage(page: number, filter: DeadLetterFilter, number: number): Promise<void> {
    try {
      const answer = await get<DeadLetterPage>("/api/dead-letters", {
        ...queryOf(this.workflow, filter),
        offset: String(page * PAGE_ROWS),
        limit: String(PAGE_ROWS),
      });
      // The answer to an earlier filter may arrive after the answer to a later one.
      if (number !== this.#number) return;
      this.summary.value = answer;
      this.pages.value = new Map(page === 0 ? [] : this.pages.value).set(page, answer.rows);
      this.problem.value = undefined;
      if (page === 0) await this.#forgetGone(answer, filter);
    } catch (error) {
      if (number !== this.#number) return;
      this.#asked.delete(page);
      this.problem.value = (error as Error).message;
    }
  }

  /**
   * After a redrive or a purge, some of what was ticked and edited is no longer there. Dead letters that were refused keep their
   * ticks and edits.
   */
  async #forgetGone({ loadedAt, groups }: DeadLetterPage, filter: DeadLetterFilter): Promise<void> {
    // They may be loaded again, with the same ids.
    if (loadedAt === null) return;
    // Other filters hide causes that are there.
    if (filter.reason === undefined && filter.run === undefined && filter.text === undefined) {
      const causes = new Set(groups.map(({ key }) => key));
      const left = [...this.groups.peek()].filter((key) => causes.has(key));
      if (left.length < this.groups.peek().size) this.groups.value = new Set(left);
    }
    const open = this.open.peek();
    const known = new Set([...this.ticked.peek(), ...this.edited.peek().keys(), ...(open === undefined ? [] : [open])]);
    if (known.size === 0) return;
    const { ids } = await post<LoadedIds>("/api/dead-letters/loaded", { workflow: this.workflow, ids: [...known] });
    // What was ticked while the server answered is there.
    const there = new Set(ids);
    const gone = new Set([...known].filter((id) => !there.has(id)));
    this.ticked.value = new Set([...this.ticked.peek()].filter((id) => !gone.has(id)));
    this.edited.value = new Map([...this.edited.peek()].filter(([id]) => !gone.has(id)));
    if (open !== undefined && gone.has(open) && this.open.peek() === open) this.open.value = undefined;
  }
}

/** The server accepts no higher rate. */
const HIGHEST_RATE = 100_000;

const states = new Map<string, FailuresState>();

/** The state of a workflow's failures. It stays while the user looks at other pages. */
export function failuresStateOf(workflow: string): FailuresState {
  const known = states.get(workflow);
  if (known !== undefined) return known;
  const state = new FailuresState(workflow);
  states.set(workflow, state);
  return state;
}

/** The rate that the user typed. `undefined`: no limit. `NaN`: what was typed is no rate. */
export function rateOf({ rate }: FailuresState): number | undefined {
  if (rate.value.trim() === "") return undefined;
  const value = Number(rate.value);
  return value > 0 && value <= HIGHEST_RATE ? value : Number.NaN;
}

/** A filter as a query. */
export const queryOf = (workflow: string, { groups, reason, run, text }: DeadLetterFilter): Record<string, string> => ({
  workflow,
  ...(groups !== undefined && { groups: groups.join(",") }),
  ...(reason !== undefined && { reason }),
  ...(run !== undefined && { run }),
  ...(text !== undefined && { text }),
});
