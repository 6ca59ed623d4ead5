import { randomUUID } from "node:crypto";
import { toError } from "../../shared/base/errors.ts";
import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import type { CheckResult, ItemEdits, Selection, WorkRequest, WorkView } from "./api.ts";
import { LoadedDeadLetters } from "./loaded-dead-letters.ts";
import type { Place, WorkResult } from "./place.ts";
import type { PrivateFiles } from "./private-files.ts";
import { RequestError } from "./request-error.ts";

const NO_WORK: Pick<WorkView, "phase" | "done" | "total" | "message" | "refusals"> = {
  phase: "",
  done: 0,
  total: 0,
  message: "",
  refusals: [],
};

/** Works on dead letters, one work at a time, and keeps those that were loaded. */
export class DeadLetterWorks {
  readonly #place: Place;
  readonly #files: PrivateFiles;
  readonly #onChange: () => void;
  readonly #loaded = new Map<string, LoadedDeadLetters>();
  #view: WorkView | undefined;
  #stop: AbortController | undefined;

  constructor(options: { readonly place: Place; readonly files: PrivateFiles; readonly onChange: () => void }) {
    this.#place = options.place;
    this.#files = options.files;
    this.#onChange = options.onChange;
  }

  /** The latest work. `undefined`: there was none. */
  get view(): WorkView | undefined {
    return this.#view;
  }

  loaded(workflow: string): LoadedDeadLetters | undefined {
    return this.#loaded.get(workflow);
  }

  /** Ends the work that is under way: it makes all dead letters that it holds visible again. */
  stop(): void {
    this.#stop?.abort();
  }

  /**
   * Begins a work. Its progress is in `view`.
   *
   * @returns the work's end. It never rejects.
   * @throws {RequestError} Another work is under way, or the dead letters were not loaded.
   */
  begin(request: WorkRequest): { readonly ended: Promise<void> } {
    const { kind, workflow } = request;
    if (this.#view?.state === "running") {
      throw new RequestError(409, `wait until the ${this.#view.kind} of ${this.#view.workflow} has ended, or stop it`);
    }
    const ids = kind === "load" ? undefined : this.#idsOf(workflow, request.selection);
    this.#stop = new AbortController();
    const id = randomUUID();
    this.#set({ ...NO_WORK, id, kind, workflow, state: "running", phase: "beginning", total: ids?.size ?? 0 });
    const isChange = kind === "redrive" || kind === "purge";
    if (isChange) this.#files.audit({ ...request, deadLetters: ids?.size, event: "began" });
    return { ended: this.#run(id, request, ids, this.#stop.signal, isChange) };
  }

  /** What a change would do to the selected items. */
  async check(workflow: string, selection: Selection | undefined, edits: ItemEdits): Promise<CheckResult> {
    const loaded = this.#loadedOf(workflow);
    const deadLetters = [...this.#idsOf(workflow, selection)].flatMap((id) => loaded.read(id) ?? []);
    return await this.#place.check(workflow, deadLetters, edits);
  }

  close(): void {
    this.stop();
    for (const loaded of this.#loaded.values()) loaded.close();
    this.#loaded.clear();
  }

  async #run(
    id: string,
    request: WorkRequest,
    ids: ReadonlySet<string> | undefined,
    signal: AbortSignal,
    isChange: boolean,
  ): Promise<void> {
    const { kind, workflow } = request;
    const view = { id, kind, workflow };
    try {
      const { message, refusals = [], gone = [] } = await this.#work(request, ids, signal);
      this.#loaded.get(workflow)?.remove(gone);
      const noted = isChange ? this.#note({ ...view, event: "ended", gone: gone.length, message }) : "";
      this.#set({ ...NO_WORK, ...this.#view, ...view, state: "done", phase: "", message: message + noted, refusals });
    } catch (thrown) {
      const { message } = toError(thrown);
      const noted = isChange ? this.#note({ ...view, event: "failed", message }) : "";
      this.#set({ ...NO_WORK, ...this.#view, ...view, state: "failed", phase: "", message: message + noted });
    }
  }

  /** Writes the end of a change to the audit log. Returns what the user should know if that fails: the change was made. */
  #note(entry: Readonly<Record<string, unknown>>): string {
    try {
      this.#files.audit(entry);
      return "";
    } catch (thrown) {
      return ` The audit log could not be written: ${toError(thrown).message}.`;
    }
  }

  async #work(
    { kind, workflow, edits = {}, ratePerSecond }: WorkRequest,
    ids: ReadonlySet<string> | undefined,
    signal: AbortSignal,
  ): Promise<WorkResult> {
    const onProgress = (progress: Partial<WorkView>) => {
      if (this.#view !== undefined) this.#set({ ...this.#view, ...progress });
    };
    if (kind === "load") return await this.#load(workflow, signal, onProgress);
    const work = { workflow, signal, onProgress, selects: ({ id }: DeadLetter) => ids?.has(id) === true };
    if (kind === "purge") return await this.#place.purge(work);
    return await this.#place.redrive({ ...work, edits, ratePerSecond, dryRun: kind === "dry run" });
  }

  async #load(workflow: string, signal: AbortSignal, onProgress: (progress: Partial<WorkView>) => void) {
    // The dead letters of the load before are shown until this one has ended. So two files take turns.
    const fileOf = (name: "a" | "b") => this.#files.file(`dead-letters-${workflow}-${name}.jsonl`);
    const loaded = new LoadedDeadLetters(fileOf(this.#loaded.get(workflow)?.file === fileOf("a") ? "b" : "a"));
    try {
      const see = (deadLetter: DeadLetter) => loaded.add(deadLetter);
      const result = await this.#place.load({ workflow, signal, onProgress, see });
      loaded.note = result.message;
      this.#loaded.get(workflow)?.close();
      this.#loaded.set(workflow, loaded);
      return result;
    } catch (error) {
      loaded.close();
      throw error;
    }
  }

  #loadedOf(workflow: string): LoadedDeadLetters {
    const loaded = this.#loaded.get(workflow);
    if (loaded === undefined) throw new RequestError(409, `load the dead letters of ${workflow} first`);
    return loaded;
  }

  #idsOf(workflow: string, selection: Selection = {}): ReadonlySet<string> {
    const ids = this.#loadedOf(workflow).idsOf(selection);
    if (ids.size === 0) throw new RequestError(409, "no dead letter is selected: tick some, or change the filter");
    return ids;
  }

  #set(view: WorkView): void {
    this.#view = view;
    this.#onChange();
  }
}
