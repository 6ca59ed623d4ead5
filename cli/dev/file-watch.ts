import { type FSWatcher, watch } from "node:fs";
import { join } from "node:path";
import { directoriesOf, stateOf, type WatchedFiles } from "./watched-files.ts";

/** An editor that replaces a file, or a tool that writes many files, is done within this time after its last write. */
const QUIET_MILLISECONDS = 100;

/** How often the files are looked at where the system reports no events, because it has no watcher left for example. */
const POLL_MILLISECONDS = 1_000;

/** Watches a directory. Calls back with the name of the entry that may have changed. Returns what ends the watch. */
export type WatchDirectory = (
  directory: string,
  onEvent: (name: string | null) => void,
  onError: () => void,
) => { close(): void };

const watchDirectory: WatchDirectory = (directory, onEvent, onError) => {
  const watcher: FSWatcher = watch(directory, (_event, name) => onEvent(name));
  return watcher.on("error", onError);
};

export interface FileWatchOptions {
  /** Called when the content of a file has changed. `files`: those that the system named, for people. */
  readonly onChange: (files: readonly string[]) => void;
  readonly watchDirectory?: WatchDirectory;
}

/**
 * Tells when the content of files has changed. It watches their directories, because many editors write another file and
 * rename it. It compares the content, so a file that is saved unchanged changes nothing.
 */
export class FileWatch {
  readonly #onChange: FileWatchOptions["onChange"];
  readonly #watchDirectory: WatchDirectory;
  readonly #watchers = new Map<string, { close(): void }>();
  readonly #named = new Set<string>();
  #watched: WatchedFiles = { files: [], names: {}, listings: [] };
  #state = "";
  #quiet: NodeJS.Timeout | undefined;
  #poll: NodeJS.Timeout | undefined;

  constructor({ onChange, watchDirectory: watchOne = watchDirectory }: FileWatchOptions) {
    this.#onChange = onChange;
    this.#watchDirectory = watchOne;
  }

  /**
   * From now on, watches these files.
   *
   * @param state The state of the files from which the caller has made something. If they have changed since, `onChange` is
   *   called soon. Default: their state now.
   */
  follow(watched: WatchedFiles, state?: string): void {
    this.#watched = watched;
    const directories = new Set(directoriesOf(watched));
    for (const [directory, watcher] of this.#watchers) {
      if (directories.has(directory)) continue;
      watcher.close();
      this.#watchers.delete(directory);
    }
    for (const directory of directories) if (!this.#watchers.has(directory)) this.#watch(directory);
    this.#state = state ?? stateOf(watched);
    if (state !== undefined) this.#soon();
  }

  close(): void {
    clearTimeout(this.#quiet);
    clearInterval(this.#poll);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #watch(directory: string): void {
    const onEvent = (name: string | null) => {
      const file = name === null ? directory : join(directory, name);
      if (this.#watched.files.includes(file)) this.#named.add(file);
      this.#soon();
    };
    const onError = () => {
      this.#watchers.get(directory)?.close();
      this.#watchers.delete(directory);
      this.#pollToo();
    };
    try {
      this.#watchers.set(directory, this.#watchDirectory(directory, onEvent, onError));
    } catch {
      this.#pollToo();
    }
  }

  #pollToo(): void {
    this.#poll ??= setInterval(() => this.#check(), POLL_MILLISECONDS);
  }

  #soon(): void {
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => this.#check(), QUIET_MILLISECONDS);
  }

  #check(): void {
    const state = stateOf(this.#watched);
    const named = [...this.#named];
    this.#named.clear();
    if (state === this.#state) return;
    this.#state = state;
    this.#onChange(named);
  }
}
