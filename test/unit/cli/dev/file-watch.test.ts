import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FileWatch, type WatchDirectory } from "../../../../cli/dev/file-watch.ts";
import { stateOf, type WatchedFiles } from "../../../../cli/dev/watched-files.ts";
import { temporaryDirectory } from "../../../helpers/test-engine.ts";

let directory: ReturnType<typeof temporaryDirectory>;
let file: string;
let watched: WatchedFiles;
const open = new Map<string, { event(name: string | null): void; fail(): void }>();
const watchDirectory: WatchDirectory = (path, onEvent, onError) => {
  open.set(path, { event: onEvent, fail: onError });
  return { close: () => void open.delete(path) };
};
const changes: (readonly string[])[] = [];
let watch: FileWatch;

beforeEach(() => {
  vi.useFakeTimers();
  changes.length = 0;
  directory = temporaryDirectory();
  file = join(directory.path, "a.ts");
  writeFileSync(file, "1");
  watched = { files: [file], names: {}, listings: [] };
  watch = new FileWatch({ onChange: (files) => changes.push(files), watchDirectory });
});
afterEach(() => {
  watch.close();
  directory[Symbol.dispose]();
  vi.useRealTimers();
});

const event = (name: string | null = "a.ts") => open.get(directory.path)?.event(name);

describe("a change is told", () => {
  test("once, when the files have been quiet, with the name of the file", () => {
    watch.follow(watched);
    writeFileSync(file, "2");
    event();
    vi.advanceTimersByTime(90);
    writeFileSync(file, "3");
    event();
    vi.advanceTimersByTime(90);
    expect(changes).toEqual([]);
    vi.advanceTimersByTime(1_000);
    expect(changes).toEqual([[file]]);
  });

  test("when an editor replaces the file by another one", () => {
    watch.follow(watched);
    writeFileSync(`${file}.new`, "2");
    event("a.ts.new");
    renameSync(`${file}.new`, file);
    event();
    vi.advanceTimersByTime(100);
    expect(changes).toEqual([[file]]);
  });

  test("if the files have changed since the state from which the caller made something", () => {
    const state = stateOf(watched);
    writeFileSync(file, "2");
    watch.follow(watched, state);
    vi.advanceTimersByTime(100);
    expect(changes).toHaveLength(1);
    watch.follow(watched, stateOf(watched));
    vi.advanceTimersByTime(100);
    expect(changes).toHaveLength(1);
  });

  test("by polling, where the system has no watcher left", () => {
    watch.follow(watched);
    open.get(directory.path)?.fail();
    writeFileSync(file, "2");
    vi.advanceTimersByTime(1_000);
    expect(changes).toHaveLength(1);
  });
});

describe("nothing is told", () => {
  test("of a file that is saved unchanged, of another file, and after the end", () => {
    watch.follow(watched);
    writeFileSync(file, "1");
    event();
    event("b.ts");
    event(null);
    vi.advanceTimersByTime(1_000);
    writeFileSync(file, "2");
    event();
    watch.close();
    vi.advanceTimersByTime(1_000);
    expect(changes).toEqual([]);
    expect(open.size).toBe(0);
  });

  test("of a directory that is not needed any more", () => {
    watch.follow(watched);
    using other = temporaryDirectory();
    watch.follow({ files: [join(other.path, "b.ts")], names: {}, listings: [] });
    expect([...open.keys()]).toEqual([other.path]);
  });
});
