import { inOrder, type RunLine } from "./local-log.ts";

/** A log whose lines come in groups, and those of which have been read. */
interface Reader {
  readonly groups: AsyncIterator<readonly RunLine[]>;
  lines: readonly RunLine[];
  /** The time of the last line that was read. */
  last: number;
  hasEnded: boolean;
}

/**
 * Merges logs by the times of their lines, and holds a few groups of each in memory. In each log, the lines are in the order
 * of their times.
 */
export async function* merged(logs: readonly AsyncGenerator<readonly RunLine[]>[]): AsyncGenerator<readonly RunLine[]> {
  const readers = logs.map(
    (groups): Reader => ({ groups, lines: [], last: Number.NEGATIVE_INFINITY, hasEnded: false }),
  );
  for (;;) {
    const open = readers.filter(({ hasEnded }) => !hasEnded);
    const [behind] = open.toSorted((a, b) => (a.last < b.last ? -1 : 1));
    if (behind === undefined) {
      yield inOrder(readers.map(({ lines }) => lines));
      return;
    }
    const { done, value = [] } = await behind.groups.next();
    behind.hasEnded = done === true;
    behind.lines = [...behind.lines, ...value];
    behind.last = value.at(-1)?.line.at ?? behind.last;
    // No log that is open can yield a line before its last one.
    const bound = Math.min(...readers.filter(({ hasEnded }) => !hasEnded).map(({ last }) => last));
    const ready = readers.map((reader) => {
      const later = reader.lines.findIndex(({ line }) => (line.at ?? 0) > bound);
      const count = later === -1 ? reader.lines.length : later;
      const lines = reader.lines.slice(0, count);
      reader.lines = reader.lines.slice(count);
      return lines;
    });
    yield inOrder(ready);
  }
}
